import type { MoneySums } from './money-sums';

/**
 * Why no payload was built. None of these heals by itself: a person looks.
 *
 * - `SESSION_UNREADABLE`  the Session (or charge, PaymentIntent) is not the object that Stripe documents
 * - `LINE_UNREADABLE`     one line is not, or its quantity and amounts contradict each other
 * - `REVERSAL_UNREADABLE` the refund or dispute is not
 * - `INVOICE_ID_MISSING`  the caller gave no invoice id
 * - `NOT_PAID`            `payment_status` is `unpaid`
 * - `MODE_NOT_PAYMENT`    a subscription or setup Session, which is no invoice
 * - `AMOUNT_MISSING`      an amount that the proof needs is null or absent
 * - `AMOUNT_NOT_INTEGER`  an amount, or a sum of amounts, is not a safe integer of minor units
 * - `CURRENCY_MISSING`    no currency at all
 * - `CURRENCY_MIXED`      a line is in another currency than its Session
 * - `SUMS_DIFFER`         lines and shipping do not add up to the total
 * - `CODE_MISSING`        a line has no billing code and the profile refuses that
 */
export type PayloadRefusalCode =
  | 'SESSION_UNREADABLE'
  | 'LINE_UNREADABLE'
  | 'REVERSAL_UNREADABLE'
  | 'INVOICE_ID_MISSING'
  | 'NOT_PAID'
  | 'MODE_NOT_PAYMENT'
  | 'AMOUNT_MISSING'
  | 'AMOUNT_NOT_INTEGER'
  | 'CURRENCY_MISSING'
  | 'CURRENCY_MIXED'
  | 'SUMS_DIFFER'
  | 'CODE_MISSING';

/** Ids, field names and figures only: never names, addresses or free text of a customer. */
export interface RefusalDetails {
  sessionId?: string;
  lineId?: string;
  productId?: string;
  /** Path of the field at fault, in Stripe's words. */
  field?: string;
  /** Minor units; present when the money was added up. */
  sums?: MoneySums;
}

/** Nothing may be sent. `message` is for people and holds sums and ids, no customer data; `code` is stable. */
export interface RefusedPayload {
  kind: 'refused';
  code: PayloadRefusalCode;
  message: string;
  details: RefusalDetails;
}

/** Travels from the part that finds the fault to the builder, which turns it into a value. Never leaves the package. */
export class PayloadRefusal extends Error {
  override readonly name = 'PayloadRefusal';

  constructor(
    readonly code: PayloadRefusalCode,
    message: string,
    readonly details: RefusalDetails = {},
  ) {
    super(message);
  }
}

/** Runs a builder and turns its refusal into a value; any other error is a defect of ours and is thrown on. */
export function refusalAsValue<Built>(build: () => Built, known: RefusalDetails): Built | RefusedPayload {
  try {
    return build();
  } catch (error) {
    if (!(error instanceof PayloadRefusal)) throw error;
    return { kind: 'refused', code: error.code, message: error.message, details: { ...known, ...error.details } };
  }
}
