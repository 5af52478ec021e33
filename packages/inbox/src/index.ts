export {
  type ClaimedEvent,
  type ClaimResult,
  createInbox,
  type Delivery,
  type DueEvent,
  EventClaimLostError,
  type EventSource,
  type EventState,
  type EventSummary,
  type Finish,
  type Inbox,
  type Recorded,
  STARTS_MAX,
} from './inbox';
export { inboxMigrations } from './migrations';
