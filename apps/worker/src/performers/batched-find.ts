import type { HeldBack } from '@bridge/effects';
import { exactly, type FileMakerClient, FileMakerError, type FoundRecord } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { type Lease, PoolError, type SessionPool } from '@bridge/session-pool';
import { flushAfterForgotten, leaseOrWait, sessionAfter, tellGates, waitAfter } from './filemaker-failure';

/** Values asked for in one find, without the sentinel. No limit of the server is known; short requests stay quick. */
const VALUES_MAX = 50;
/** Questions that come so close together share a find; so much later is a lone one asked. */
const GATHER_MS = 5;
/** Rows expected for each value: one. The double leaves room for contradictions to be seen. */
const ROWS_PER_VALUE = 2;
const ROWS_LEAST = 20;
/** A newcomer brings a waiting find forward only if it has waited so much longer than those in it. */
const SENIOR_BY_MS = 1_000;
/** A lease is asked for anew at most so often for one find. */
const LEASE_TRIES = 10;
/** The pool promises nothing for shorter waits. */
const LEASE_WAIT_LEAST_MS = 50;

export interface BatchedFindOptions {
  client: Pick<FileMakerClient, 'find'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'flushEpoch'>;
  gates: Gates;
  worker: string;
  /** How long a find waits for a session, all together. */
  leaseWaitMs: number;
  valuesMax?: number;
}

export interface FindQuestion {
  layout: string;
  field: string;
  /** Compared exactly. */
  value: string;
  /** Asked for in the same find and told with it: if it is not found, "not found" proves nothing. Null: there is none. */
  sentinel: string | null;
  /** On whose account a missing layout or field is halted. */
  script: string;
  /** What the same work has waited in earlier turns: it keeps its place among those who wait for a session. */
  waitedMs: number;
}

export interface FindTold {
  /** Rows whose field holds exactly this value. */
  rows: FoundRecord[];
  sentinelFound: boolean;
  /** More rows match than were returned, even for this value alone: nothing can be concluded from those missing. */
  cutShort: boolean;
}

export type Asked<T> = { kind: 'asked'; value: T } | { kind: 'held-back'; held: HeldBack; error?: FileMakerError };

interface Member {
  question: FindQuestion;
  arrivedAt: number;
  answer(asked: Asked<FindTold>): void;
  fail(error: unknown): void;
}

/** Questions about one field of one layout that go together: gathering, then waiting for a session, then sent. */
interface Batch {
  about: Pick<FindQuestion, 'layout' | 'field' | 'sentinel'>;
  members: Member[];
  values: Set<string>;
  /** Local monotonic time since which the longest of them has waited; what its request for a session says. */
  arrivedAt: number;
  /** Ends the present request for a session, so that it is made anew with more seniority. */
  bringForward: AbortController;
}

type Found =
  | { kind: 'told' }
  /** It was about several values and is to be made for each alone. */
  | { kind: 'apart' }
  /** The session was not known any more; nothing was told yet. */
  | { kind: 'forgotten' }
  | { kind: 'held-back'; held: HeldBack; error?: FileMakerError };

/** Rows whose field holds exactly this value. FileMaker's find may be more generous, so the comparison is ours. */
function holding(records: readonly FoundRecord[], field: string, value: string): FoundRecord[] {
  return records.filter((record) => String(record.fieldData[field] ?? '') === value);
}

/**
 * Puts questions about single values to FileMaker, many in one find on one session. A question that comes while a find
 * about the same field gathers or waits for a session joins it; once the find is sent nobody joins, so that every answer
 * is younger than its question. Where a shared find is refused or cut short, each of its questions is asked alone: one
 * bad value must not keep the others from an answer.
 */
export function createBatchedFind(options: BatchedFindOptions): (question: FindQuestion) => Promise<Asked<FindTold>> {
  const { client, pool, gates, worker, valuesMax = VALUES_MAX } = options;
  const open = new Map<string, Batch>();

  function ask(question: FindQuestion): Promise<Asked<FindTold>> {
    return new Promise((answer, fail) => {
      const member: Member = { question, arrivedAt: performance.now() - question.waitedMs, answer, fail };
      const at = JSON.stringify([question.layout, question.field, question.sentinel]);
      const batch = open.get(at);
      if (batch !== undefined && (batch.values.size < valuesMax || batch.values.has(question.value))) {
        join(batch, member);
        return;
      }
      const begun = batchOf([member], question);
      open.set(at, begun);
      const close = (): void => {
        if (open.get(at) === begun) open.delete(at);
      };
      conduct(begun, close).catch((error: unknown) => {
        close();
        for (const one of begun.members) one.fail(error);
      });
    });
  }

  function join(batch: Batch, member: Member): void {
    batch.members.push(member);
    batch.values.add(member.question.value);
    const senior = batch.arrivedAt - member.arrivedAt > SENIOR_BY_MS;
    batch.arrivedAt = Math.min(batch.arrivedAt, member.arrivedAt);
    if (senior) batch.bringForward.abort();
  }

  async function conduct(batch: Batch, close: () => void): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    let found = await findTogether(batch, close);
    // A forgotten session is replaced once; all that is asked here may be asked again.
    if (found.kind === 'forgotten') found = await findTogether(batch, close, 'last');
    if (found.kind === 'held-back') tell(batch, found);
    if (found.kind !== 'apart') return;
    for (const [at, member] of batch.members.entries()) {
      const alone = batchOf([member], member.question);
      const one = await findTogether(alone, () => undefined, 'last');
      if (one.kind !== 'held-back') continue;
      tell(alone, one);
      if (one.error !== undefined && mayBeOneOfThem(one.error)) continue;
      // No session, or a server in trouble: the others would fare alike.
      tell(batchOf(batch.members.slice(at + 1), batch.about), one);
      return;
    }
  }

  function tell(batch: Batch, asked: Asked<FindTold>): void {
    for (const member of batch.members) member.answer(asked);
  }

  async function findTogether(batch: Batch, close: () => void, last?: 'last'): Promise<Found> {
    const leased = await leaseOrWait(() => leaseFor(batch), gates);
    // From here on a new question begins a new find.
    close();
    if (leased.kind !== 'leased') return { kind: 'held-back', held: leased };
    const { lease } = leased;
    const { layout, field, sentinel } = batch.about;
    const values = sentinel === null ? [...batch.values] : [...batch.values, sentinel];
    let after: 'idle' | 'quarantine' | 'gone' = 'idle';
    try {
      const { records, foundCount, returnedCount } = await client.find(lease.token, {
        layout,
        query: values.map((value) => ({ [field]: exactly(value) })),
        limit: Math.max(ROWS_LEAST, ROWS_PER_VALUE * values.length),
      });
      const cutShort = foundCount > returnedCount;
      if (cutShort && batch.values.size > 1) return { kind: 'apart' };
      const sentinelFound = sentinel !== null && holding(records, field, sentinel).length > 0;
      for (const { question, answer } of batch.members) {
        answer({ kind: 'asked', value: { rows: holding(records, field, question.value), sentinelFound, cutShort } });
      }
      return { kind: 'told' };
    } catch (error) {
      after = sessionAfter(error);
      if (!(error instanceof FileMakerError)) throw error;
      await flushAfterForgotten(pool, error, lease.epoch);
      if (error.code === 'FILEMAKER_INVALID_TOKEN' && last === undefined) return { kind: 'forgotten' };
      if (batch.values.size > 1 && mayBeOneOfThem(error)) return { kind: 'apart' };
      const scripts = new Set(batch.members.map(({ question }) => question.script));
      for (const script of scripts) await tellGates(gates, error, { script, worker });
      return { kind: 'held-back', held: waitAfter(error), error };
    } finally {
      await pool.giveBack(lease, after);
    }
  }

  /** Asked for anew when somebody joins who has waited longer, within the one patience of the find. */
  async function leaseFor(batch: Batch): Promise<Lease> {
    const deadline = performance.now() + options.leaseWaitMs;
    for (let tries = 1; ; tries += 1) {
      const now = performance.now();
      batch.bringForward = new AbortController();
      try {
        return await pool.lease({
          waitMs: Math.max(LEASE_WAIT_LEAST_MS, deadline - now),
          priority: 'cross-check',
          waitedMs: Math.max(0, now - batch.arrivedAt),
          ...(tries < LEASE_TRIES ? { signal: batch.bringForward.signal } : {}),
        });
      } catch (error) {
        if (!(error instanceof PoolError && error.code === 'POOL_ABORTED')) throw error;
      }
    }
  }

  return ask;
}

function batchOf(members: Member[], { layout, field, sentinel }: Batch['about']): Batch {
  return {
    about: { layout, field, sentinel },
    members,
    values: new Set(members.map(({ question }) => question.value)),
    arrivedAt: Math.min(...members.map(({ arrivedAt }) => arrivedAt)),
    bringForward: new AbortController(),
  };
}

/** The server is there and the layout too: what it does not like may be one value, or how many there are. */
function mayBeOneOfThem(error: FileMakerError): boolean {
  return !error.circuit && error.halt === undefined && error.resend === 'no';
}
