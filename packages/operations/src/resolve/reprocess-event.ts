import type { Database } from '@bridge/database';
import { createInbox, type EventState, type EventSummary } from '@bridge/inbox';
import { auditedTransaction } from '../audit/audit';
import { lockEvent, readEventRows } from '../tables/read-engine-tables';
import type { Asked, Refused } from './resolve-effect';

/** The event that is read once more, or why it is not. */
export type EventReprocessing = { kind: 'reprocessed'; id: string; eventId: string; eventType: string } | Refused;

/**
 * A person wants a finished or parked event read once more, as the operator's: effects are keyed by meaning, so nothing
 * happens twice, and what is planned now begins with a question to FileMaker.
 */
export function reprocessEvent(database: Database, idOrEventId: string, asked: Asked): Promise<EventReprocessing> {
  return reprocess(database, idOrEventId, asked, () => undefined);
}

/**
 * The same for a button that stands beside something that waits: only a parked event is read again. One that was settled
 * meanwhile, for instance at the command line, is refused.
 */
export function retryEvent(database: Database, idOrEventId: string, asked: Asked): Promise<EventReprocessing> {
  return reprocess(database, idOrEventId, asked, whySettled);
}

async function reprocess(
  database: Database,
  idOrEventId: string,
  { by, why }: Asked,
  objection: (event: Pick<EventSummary, 'eventId'>, state: EventState | undefined) => Refused | undefined,
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
      // Locked: what is decided here is decided about the row as it stands.
      const objected = objection(event, await lockEvent(tx, id));
      if (objected !== undefined) return objected;
      if (erased) return bodyErased(eventId);
      if (await inbox.reprocess(id, tx)) return { kind: 'reprocessed', id, eventId, eventType };
      return onItsWay(eventId);
    },
    (value) =>
      value.kind === 'reprocessed'
        ? { outcome: 'done', detail: value.eventId }
        : { outcome: 'refused', detail: value.code },
  );
}

/** What a retry would do with an event. */
export interface ExplainedEvent {
  id: string;
  eventType: string;
  retry: { kind: 'releases' } | Refused;
}

/** The rules of `retryEvent`, told beforehand; nothing is changed. Ids that are not there are left out. */
export async function explainEventRetries(database: Database, ids: readonly string[]): Promise<ExplainedEvent[]> {
  return (await readEventRows(database, ids)).map(({ id, eventId, eventType, state, erased }) => {
    const onWay = state === 'received' || state === 'processing' ? onItsWay(eventId) : undefined;
    const refused = whySettled({ eventId }, state) ?? (erased ? bodyErased(eventId) : onWay);
    return { id, eventType, retry: refused ?? { kind: 'releases' } };
  });
}

const bodyErased = (eventId: string): Refused => ({
  kind: 'refused',
  code: 'EVENT_BODY_ERASED',
  reason: `The body of event ${eventId} is erased, so there is nothing to read again.`,
});

const onItsWay = (eventId: string): Refused => ({
  kind: 'refused',
  code: 'EVENT_ON_ITS_WAY',
  reason: `Event ${eventId} goes on by itself; it does not wait for a person.`,
});

function whySettled({ eventId }: Pick<EventSummary, 'eventId'>, state: EventState | undefined): Refused | undefined {
  if (state !== 'processed' && state !== 'ignored') return undefined;
  return {
    kind: 'refused',
    code: 'EVENT_SETTLED',
    reason: `Event ${eventId} was handled meanwhile; it does not wait for a person.`,
  };
}
