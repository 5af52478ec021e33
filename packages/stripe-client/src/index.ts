export { type AddressSeen, lookAtAddress } from './look-at-address';
export type { PageQuery, StripePage } from './page-walk';
export type { PaidSessionSnapshot } from './paid-session-snapshot';
export { type StripeCallAction, type StripeCallCode, StripeCallError, type StripeCallStage } from './stripe-call-error';
export {
  createStripeClient,
  type EventQuery,
  type SessionQuery,
  type StripeClient,
  type StripeClientOptions,
  type StripeRead,
} from './stripe-client';
export type { StripeObject } from './stripe-object';
export {
  createWebhookEndpointEditor,
  type WebhookEndpoint,
  type WebhookEndpointChange,
  type WebhookEndpointEditor,
} from './webhook-endpoints';
