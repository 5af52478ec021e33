export { formatMinor } from './currency';
export {
  type ArticleInvoicePayload,
  type BuiltInvoicePayload,
  buildInvoicePayload,
  type FullInvoicePayload,
  type InvoiceContext,
  type InvoiceItem,
  type InvoicePayload,
  type InvoiceShipping,
  type PayloadNotice,
} from './invoice-payload';
export type { ReportedAmounts } from './money';
export type { MoneySums } from './money-sums';
export type { PaidSession } from './paid-session';
export { defaultProfile, type PayloadProfile } from './payload-profile';
export type { PayloadRefusalCode, RefusalDetails, RefusedPayload } from './payload-refusal';
export {
  type BuiltReversalPayload,
  buildReversalPayload,
  type DisputePayload,
  type RefundPayload,
  type ReversalContext,
  type ReversalKind,
  type ReversalPayload,
} from './reversal-payload';
