import type { Database } from '@bridge/database';
import { type AttemptSummary, createEffectStore, type EffectSummary } from '@bridge/effects';
import { createInbox, type EventSummary } from '@bridge/inbox';
import { type AuditRow, listAudit } from '../audit/audit';
import {
  type EffectDetails,
  type EventDetails,
  readEffectDetails,
  readEventDetails,
} from '../tables/read-engine-tables';

const AUDIT_ROWS_MAX = 100;

/** One effect with all its tries. */
export interface ShownEffect {
  effect: EffectSummary & EffectDetails;
  /** Every sending and every question to the peer, the oldest first. */
  attempts: AttemptSummary[];
  /** What people did about it, the newest first. */
  audit: AuditRow[];
}

/** All that is known of one effect but the bytes it sends, which hold customer data. By row id or key. */
export async function showEffect(database: Database, idOrKey: string): Promise<ShownEffect | undefined> {
  const store = createEffectStore(database);
  const summary = await store.find(idOrKey);
  const details = summary === undefined ? undefined : await readEffectDetails(database, summary.id);
  if (summary === undefined || details === undefined) return undefined;
  return {
    effect: { ...summary, ...details },
    attempts: await store.attemptsOf(summary.id),
    audit: await listAudit(database, { object: `effect:${summary.id}`, limit: AUDIT_ROWS_MAX }),
  };
}

/** One event with what people did about it. */
export interface ShownEvent {
  event: EventSummary & EventDetails;
  /** What people did about it, the newest first. */
  audit: AuditRow[];
}

/** All that is known of one event but its body, which holds customer data. By row id or event id. */
export async function showEvent(database: Database, idOrEventId: string): Promise<ShownEvent | undefined> {
  const summary = await createInbox(database).find(idOrEventId);
  const details = summary === undefined ? undefined : await readEventDetails(database, summary.id);
  if (summary === undefined || details === undefined) return undefined;
  return {
    event: { ...summary, ...details },
    audit: await listAudit(database, { object: `event:${summary.id}`, limit: AUDIT_ROWS_MAX }),
  };
}

/** The bytes as they came; null when they are erased, undefined when there is no such event. */
export const readEventBody = (database: Database, id: string): Promise<Buffer | null | undefined> =>
  createInbox(database).bodyOf(id);
