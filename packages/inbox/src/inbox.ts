import type { Database } from '@bridge/database';
import { createDeliveries, type Deliveries } from './deliveries';
import { createEventLife, type EventLife } from './event-life';
import { createEventSummaries, type EventSummaries } from './event-summaries';
import { createEventSweep, type EventSweep } from './event-sweep';
import { eraseBodies } from './forget-bodies';
import { createRejections, type Rejections } from './rejections';

/** The inbox of one database: what arrives, its life, what the sweep needs, and what people see. */
export interface Inbox extends Deliveries, Rejections, EventLife, EventSweep, EventSummaries {
  /**
   * Erases the bodies of rows that are finished and arrived before `before`, going on behind the row `after`. Keeps their
   * SHA-256. Returns how many, and the last row that was looked at: undefined when there are no more.
   */
  eraseBodies(batch: { before: Date; after: string; limit: number }): Promise<{ erased: number; last?: string }>;
}

/** Needs the migrations of `claims` and `inbox`. What PostgreSQL refuses or does not answer rejects as its error. */
export function createInbox(database: Database): Inbox {
  return {
    ...createDeliveries(database),
    ...createRejections(database),
    ...createEventLife(database),
    ...createEventSweep(database),
    ...createEventSummaries(database),
    eraseBodies: (batch) => eraseBodies(database, batch),
  };
}
