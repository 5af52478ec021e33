export type { Delivery, Recorded } from './deliveries';
export type { EventSource, EventState } from './event';
export { type ClaimedEvent, type ClaimResult, EventClaimLostError, type Finish, STARTS_MAX } from './event-life';
export type { EventFilter, EventSummary } from './event-summaries';
export type { DueEvent } from './event-sweep';
export { forgetEvents, needleOf, type TracedEvent, type Traces, traceEvents } from './forget-bodies';
export { createInbox, type Inbox } from './inbox';
export { inboxMigrations } from './migrations';
export {
  type EventExpectations,
  type EventFault,
  type IgnoredBecause,
  readStripeEvent,
  type StripeDelivery,
} from './read-stripe-event';
export type { Rejection } from './rejections';
