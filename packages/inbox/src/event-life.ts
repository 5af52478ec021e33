import { changed, type Database, type Executor, oneRow, quickCommit } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EventSource, EventState } from './event';

/** An event in hand. Only the holder of the latest claim number can finish or release it. */
export interface ClaimedEvent {
  id: string;
  eventId: string;
  eventType: string;
  source: EventSource;
  account: string | null;
  livemode: boolean;
  apiVersion: string | null;
  objectId: string | null;
  eventCreatedAt: Date | null;
  receivedAt: Date;
  starts: number;
  /** Whose claim it is, and its number: both, since a number may come again after a crash of PostgreSQL. */
  worker: string;
  claimNo: string;
  body: Buffer;
}

/** What came of claiming a row. `dueInMs` stands beside `not due`. */
export type ClaimResult =
  | { kind: 'claimed'; event: ClaimedEvent }
  | { kind: 'parked'; reasonCode: string; reason: string }
  | { kind: 'nothing'; because: 'finished' | 'in hand' | 'not due' | 'unknown id'; dueInMs?: number };

/** How the work on an event ended. `reasonCode` is stable, `reason` a sentence for people. */
export type Finish =
  | { state: 'processed' }
  | { state: 'ignored'; reasonCode: string; reason: string }
  | { state: 'parked'; reasonCode: string; reason: string };

/** Another worker has taken the row meanwhile; whatever this one did in the same transaction must be undone. */
export class EventClaimLostError extends Error {
  readonly code = 'EVENT_CLAIM_LOST';
  constructor(id: string) {
    super(`Inbox row ${id} was claimed by another worker meanwhile`);
    this.name = 'EventClaimLostError';
  }
}

/** Eight starts without an end: something about this event kills its worker or never succeeds. A person looks. */
export const STARTS_MAX = 8;

/** Every move of an inbox row once it is there. */
export interface EventLife {
  /** Takes a row for work and counts the start. The ninth start parks it instead. */
  claim(id: string, worker: string): Promise<ClaimResult>;
  /** Ends the work, in the transaction that holds its results. Throws EventClaimLostError. */
  finish(executor: Executor, event: Pick<ClaimedEvent, 'id' | 'worker' | 'claimNo'>, finish: Finish): Promise<void>;
  /** Puts the row back until later. `costs: false` takes the start back: the event was not at fault. */
  release(
    event: Pick<ClaimedEvent, 'id' | 'worker' | 'claimNo'>,
    options: { afterMs: number; costs: boolean; reasonCode: string; reason: string },
  ): Promise<void>;
  /**
   * A person's word: a finished or parked row is worked on once more, as the operator's (what it leads to begins with a
   * question to the peer). False: it is in hand, not there, or its body is erased.
   */
  reprocess(id: string, within?: Executor): Promise<boolean>;
}

interface EventRow {
  id: string;
  event_id: string;
  event_type: string;
  source: EventSource;
  account: string | null;
  livemode: boolean;
  api_version: string | null;
  object_id: string | null;
  event_created_at: string | null;
  received_at: string;
  starts: number;
  claim_no: string;
  body: Buffer | null;
}

export function createEventLife(database: Database): EventLife {
  const { executor } = database;

  async function whyNotClaimed(id: string): Promise<ClaimResult> {
    const row = await oneRow<{
      state: EventState;
      starts: number;
      due_in_ms: number;
      reason_code: string | null;
      reason: string | null;
    }>(
      executor,
      sql`select state, starts, reason_code, reason, (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms from inbox.events where id = ${id}`,
    );
    if (row === undefined) return { kind: 'nothing', because: 'unknown id' };
    if (row.state === 'parked') return { kind: 'parked', reasonCode: row.reason_code ?? '', reason: row.reason ?? '' };
    if (row.state === 'processing') return { kind: 'nothing', because: 'in hand' };
    if (row.state === 'received') return { kind: 'nothing', because: 'not due', dueInMs: Math.max(0, row.due_in_ms) };
    return { kind: 'nothing', because: 'finished' };
  }

  return {
    claim: async (id, worker) => {
      const row = await oneRow<EventRow>(
        executor,
        sql`with ${quickCommit}
            update inbox.events set state = 'processing', starts = starts + 1, claimed_by = ${worker}, claim_no = nextval('claims.claim_no'),
              reason_code = null, reason = null
            from quick where id = ${id} and due_at <= clock_timestamp() and starts < ${STARTS_MAX}
              and (state = 'received' or (state = 'processing' and not claims.is_alive(claimed_by)))
            returning id, event_id, event_type, source, account, livemode, api_version, object_id, event_created_at, received_at, starts, claim_no, body`,
      );
      if (row === undefined) {
        const reason = `Started ${STARTS_MAX} times without an end`;
        const parked = await changed(
          executor,
          sql`update inbox.events set state = 'parked', claimed_by = null, reason_code = 'TOO_MANY_STARTS',
                reason = ${reason} || coalesce('; last: ' || reason, ''), finished_at = clock_timestamp()
              where id = ${id} and starts >= ${STARTS_MAX} and due_at <= clock_timestamp()
                and (state = 'received' or (state = 'processing' and not claims.is_alive(claimed_by)))`,
        );
        return parked === 1 ? { kind: 'parked', reasonCode: 'TOO_MANY_STARTS', reason } : whyNotClaimed(id);
      }
      return {
        kind: 'claimed',
        event: {
          id: row.id,
          eventId: row.event_id,
          eventType: row.event_type,
          source: row.source,
          account: row.account,
          livemode: row.livemode,
          apiVersion: row.api_version,
          objectId: row.object_id,
          eventCreatedAt: row.event_created_at === null ? null : new Date(row.event_created_at),
          receivedAt: new Date(row.received_at),
          starts: row.starts,
          worker,
          claimNo: row.claim_no,
          body: row.body ?? Buffer.alloc(0),
        },
      };
    },

    finish: async (within, event, finish) => {
      const count = await changed(
        within,
        sql`update inbox.events set state = ${finish.state}, claimed_by = null, finished_at = clock_timestamp(),
              reason_code = ${'reasonCode' in finish ? finish.reasonCode : null}, reason = ${'reason' in finish ? finish.reason : null}
            where id = ${event.id} and claim_no = ${event.claimNo} and claimed_by = ${event.worker} and state = 'processing'`,
      );
      if (count !== 1) throw new EventClaimLostError(event.id);
    },

    release: async (event, { afterMs, costs, reasonCode, reason }) => {
      await changed(
        executor,
        sql`update inbox.events set state = 'received', claimed_by = null, starts = starts - ${costs ? 0 : 1},
              due_at = clock_timestamp() + make_interval(secs => ${afterMs / 1000}::float8), reason_code = ${reasonCode}, reason = ${reason}
            where id = ${event.id} and claim_no = ${event.claimNo} and claimed_by = ${event.worker} and state = 'processing'`,
      );
    },

    reprocess: async (id, within) =>
      (await changed(
        within ?? executor,
        sql`update inbox.events set state = 'received', source = 'operator', starts = 0, due_at = clock_timestamp(),
              queued_at = null, run = run + 1, finished_at = null, reason_code = null, reason = null
            where id = ${id} and state in ('processed', 'ignored', 'parked') and body is not null`,
      )) === 1,
  };
}
