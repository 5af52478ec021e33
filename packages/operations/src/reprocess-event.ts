import type { Database } from '@bridge/database';
import { createInbox } from '@bridge/inbox';
import { audited } from './audit';
import { readEvent } from './read-engine-tables';
import { type Asked, type Refused, ROW_ID } from './release-effect';

export type EventReprocessing = { kind: 'reprocessed'; id: string; eventId: string; eventType: string } | Refused;

/** A person wants a finished or parked event read once more. Effects are keyed by meaning, so nothing happens twice. */
export function reprocessEvent(database: Database, id: string, { by, why }: Asked): Promise<EventReprocessing> {
  return audited(
    database,
    { who: by, action: 'event.reprocess', object: `event:${id}`, why },
    () => reprocess(database, id),
    (value) =>
      value.kind === 'reprocessed'
        ? { outcome: 'done', detail: value.eventId }
        : { outcome: 'refused', detail: value.code },
  );
}

async function reprocess(database: Database, id: string): Promise<EventReprocessing> {
  const event = ROW_ID.test(id) ? await readEvent(database, id) : undefined;
  if (event === undefined) return { kind: 'refused', code: 'EVENT_NOT_FOUND', reason: `There is no event ${id}.` };
  if (!event.hasBody) {
    return {
      kind: 'refused',
      code: 'EVENT_BODY_ERASED',
      reason: `The body of event ${event.eventId} is erased, so there is nothing to read again.`,
    };
  }
  if (await createInbox(database).reprocess(id))
    return { kind: 'reprocessed', id, eventId: event.eventId, eventType: event.eventType };
  return {
    kind: 'refused',
    code: 'EVENT_ON_ITS_WAY',
    reason: `Event ${event.eventId} goes on by itself; it does not wait for a person.`,
  };
}
