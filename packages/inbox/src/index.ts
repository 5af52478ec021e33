import { join } from 'node:path';
import type { MigrationSource } from '@bridge/database';

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

export const inboxMigrations: MigrationSource = { owner: 'inbox', directory: join(__dirname, '../migrations') };
