export { forgetEvents, needleOf, type TracedEvent, type Traces, traceEvents } from './forget-bodies';
export {
  type ClaimedEvent,
  type ClaimResult,
  createInbox,
  type Delivery,
  type DueEvent,
  EventClaimLostError,
  type EventFilter,
  type EventSource,
  type EventState,
  type EventSummary,
  type Finish,
  type Inbox,
  type Recorded,
  type Rejection,
  STARTS_MAX,
} from './inbox';
export { inboxMigrations } from './migrations';
export {
  type EventExpectations,
  type EventFault,
  type IgnoredBecause,
  readStripeEvent,
  type StripeDelivery,
} from './read-stripe-event';
