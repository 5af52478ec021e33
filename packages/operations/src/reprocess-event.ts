import type { Database } from '@bridge/database';
import { createInbox } from '@bridge/inbox';
import { auditedTransaction } from './audit';
import type { Asked, Refused } from './resolve-effect';

export type EventReprocessing = { kind: 'reprocessed'; id: string; eventId: string; eventType: string } | Refused;

/**
 * A person wants a finished or parked event read once more, as the operator's: effects are keyed by meaning, so nothing
 * happens twice, and what is planned now begins with a question to FileMaker.
 */
export async function reprocessEvent(
  database: Database,
  idOrEventId: string,
  { by, why }: Asked,
): Promise<EventReprocessing> {
  const inbox = createInbox(database);
  const event = await inbox.find(idOrEventId);
  const erased = event !== undefined && (await inbox.bodyOf(event.id)) === null;
  return auditedTransaction<EventReprocessing>(
    database,
    { who: by, action: 'event.reprocess', object: `event:${event?.id ?? idOrEventId.slice(0, 100)}`, why },
    async (tx) => {
      if (event === undefined)
        return { kind: 'refused', code: 'EVENT_NOT_FOUND', reason: `There is no event ${idOrEventId}.` };
      const { id, eventId, eventType } = event;
      if (erased) {
        return {
          kind: 'refused',
          code: 'EVENT_BODY_ERASED',
          reason: `The body of event ${eventId} is erased, so there is nothing to read again.`,
        };
      }
      if (await inbox.reprocess(id, tx)) return { kind: 'reprocessed', id, eventId, eventType };
      return {
        kind: 'refused',
        code: 'EVENT_ON_ITS_WAY',
        reason: `Event ${eventId} goes on by itself; it does not wait for a person.`,
      };
    },
    (value) =>
      value.kind === 'reprocessed'
        ? { outcome: 'done', detail: value.eventId }
        : { outcome: 'refused', detail: value.code },
  );
}
