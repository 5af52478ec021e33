import { createHash } from 'node:crypto';
import { type Database, oneRow, type Transaction } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { auditedTransaction } from '../audit/audit';
import { type EffectStanding, readEffectStandings } from '../tables/read-proof-tables';
import { addDays, type Day, dayOf, windowOf } from './calendar';
import { type BrokenLink, breakOf, canonicalJson, digestOf, FIRST_HEAD, headOf, type Link } from './chain';
import {
  type Correction,
  compareEntries,
  type DayContents,
  type DayEntry,
  entryLine,
  isSettled,
  type OpenPayment,
  type Standing,
  sumByCurrency,
} from './day-contents';
import { oweMail } from './day-mails';
import {
  type ClosedDay,
  insertDay,
  insertEntries,
  type KeptEntry,
  lockChain,
  readDay,
  readEnds,
  readEntries,
  readLinks,
  readOpenEntries,
  settleEntries,
} from './day-store';
import { gatherEntries, type RecordingFlow } from './gather-day';
import { type PaymentStanding, readStandings, standingOf } from './standing';

/** Whose records are counted, and by which clock. */
export interface ClosingOptions {
  database: Database;
  flows: readonly RecordingFlow[];
  /** TIMEZONE: whose midnight ends a day. */
  timeZone: string;
}

/** The closed day, or why it was not closed. */
export type Closing =
  | {
      kind: 'closed';
      day: ClosedDay;
      /** False: it was closed before and is shown again. */
      now: boolean;
      /** Earlier days that had to be closed first. */
      before: Day[];
    }
  | { kind: 'refused'; code: 'DAY_NOT_OVER' | 'DAY_BEFORE_FIRST' | 'TOO_MANY_DAYS'; reason: string };

/** Longest stand-still that one call makes up for. */
const DAYS_MAX = 400;
/** A row may be committed later than it is dated, and Stripe's clock may be ahead of ours; neither by so much. */
const OVERLAP_MS = 3_600_000;

async function readClock(tx: Transaction): Promise<Date> {
  const row = await oneRow<{ now: string }>(tx, sql`select date_trunc('milliseconds', clock_timestamp()) as now`);
  if (row === undefined) throw new Error('PostgreSQL told no time');
  return new Date(row.now);
}

async function standingNow(
  tx: Transaction,
  flows: readonly RecordingFlow[],
  { flow, id, standing }: KeptEntry,
  effect: EffectStanding | undefined,
): Promise<PaymentStanding> {
  const unchanged = { standing, code: null, reason: null, next: `./bridge prove ${id}` };
  if (effect !== undefined) return standingOf({ id, parkedCode: null, parkedEvent: null }, effect, undefined);
  const found = await flows.find(({ name }) => name === flow)?.records.find(tx, id);
  const fact = found?.find((one) => one.id === id);
  return fact === undefined ? unchanged : ((await readStandings(tx, [fact])).get(id) ?? unchanged);
}

/** Open payments of earlier days, as they stand now. */
async function lookAgain(
  tx: Transaction,
  flows: readonly RecordingFlow[],
): Promise<{ stillOpen: OpenPayment[]; settled: (KeptEntry & { standing: Standing })[] }> {
  const stillOpen: OpenPayment[] = [];
  const settled: (KeptEntry & { standing: Standing })[] = [];
  for await (const page of readOpenEntries(tx)) {
    const effects = await readEffectStandings(
      tx,
      page.map(({ effectKey }) => effectKey).filter((key) => key !== null),
    );
    for (const entry of page) {
      const { day, flow, id, title, amount, currency } = entry;
      const stands = await standingNow(tx, flows, entry, effects.get(entry.effectKey ?? ''));
      if (isSettled(stands.standing)) settled.push({ ...entry, standing: stands.standing });
      else stillOpen.push({ day, flow, id, title, amount, currency, ...stands });
    }
  }
  return { stillOpen, settled };
}

const toCorrection = ({
  day,
  flow,
  kind,
  id,
  title,
  amount,
  currency,
  standing,
}: DayEntry | KeptEntry): Correction => ({
  day,
  flow,
  kind,
  id,
  title,
  amount,
  currency,
  standing,
});

function toOpen({ day, flow, id, title, amount, currency, standing, code, reason, next }: DayEntry): OpenPayment {
  return { day, flow, id, title, amount, currency, standing, code, reason, next };
}

function digestOfEntries(entries: readonly (DayEntry | KeptEntry)[]): { count: number; digest: string } {
  const hash = createHash('sha256');
  for (const entry of [...entries].sort(compareEntries)) hash.update(`${entryLine(entry)}\n`);
  return { count: entries.length, digest: hash.digest('hex') };
}

const isOpen = ({ kind, standing }: DayEntry): boolean => kind === 'payment' && !isSettled(standing);

/** Closes one day that is over and next in the chain. The chain is locked. */
async function closeNext(
  tx: Transaction,
  options: ClosingOptions & { by: string; recipients: readonly string[] },
  next: { day: Day; since: Date; until: Date; before: ClosedDay | undefined },
): Promise<void> {
  const { flows, timeZone } = options;
  const { day, since, until, before } = next;
  const closedAt = await readClock(tx);
  const writtenSince =
    before === undefined ? since : new Date(Math.min(since.getTime(), before.closedAt.getTime()) - OVERLAP_MS);
  const entries = await gatherEntries(tx, flows, { day, timeZone, since, until, writtenSince, closedAt });
  const { stillOpen, settled } = await lookAgain(tx, flows);
  const late = (entry: DayEntry): boolean => entry.day < day;
  const contents: DayContents = {
    version: 1,
    day,
    timeZone,
    since: since.toISOString(),
    until: until.toISOString(),
    closedAt: closedAt.toISOString(),
    livemode: entries.every(({ livemode }) => livemode),
    currencies: sumByCurrency(entries),
    unsettled: entries.filter(isOpen).map(toOpen),
    stillOpen,
    settledSince: settled.map(toCorrection),
    corrections: entries.filter(late).map(toCorrection),
    entries: digestOfEntries(entries),
  };
  const text = canonicalJson(contents);
  const digest = digestOf(text);
  const previousHead = before === undefined ? FIRST_HEAD : Buffer.from(before.head, 'hex');
  const link: Link = {
    day,
    number: (before?.number ?? 0) + 1,
    contents: text,
    digest,
    previousHead,
    head: headOf(previousHead, day, digest),
  };
  await insertDay(tx, link, { timeZone, since, until, closedAt, closedBy: options.by });
  await insertEntries(tx, day, entries, isOpen);
  for (const some of Map.groupBy(settled, ({ flow, standing }) => `${flow} ${standing}`).values()) {
    const [first] = some;
    if (first === undefined) continue;
    const ids = some.map(({ id }) => id);
    await settleEntries(tx, first.flow, first.standing, ids);
  }
  if (options.recipients.length > 0) await oweMail(tx, day, options.recipients);
}

type Step =
  | { kind: 'closed'; now: boolean }
  | Extract<Closing, { kind: 'refused' }>
  | { kind: 'first-close'; day: Day };

/** One transaction: the day that was asked for, or the one before it that is missing in the chain. */
async function step(
  tx: Transaction,
  options: ClosingOptions & { by: string; recipients: readonly string[] },
  day: Day,
): Promise<Step> {
  await lockChain(tx);
  if ((await readDay(tx, day)) !== undefined) return { kind: 'closed', now: false };
  const ends = await readEnds(tx);
  if (ends !== undefined && day < ends.first.day) {
    const reason = `The chain of closed days begins with ${ends.first.day}; what was paid before is shown by ./bridge report.`;
    return { kind: 'refused', code: 'DAY_BEFORE_FIRST', reason };
  }
  const last = ends?.last;
  const next = last === undefined ? day : addDays(last.day, 1);
  const window = windowOf(next, options.timeZone);
  // Days join without a gap also where TIMEZONE was changed between them.
  const since = last?.until ?? window.since;
  const until = new Date(Math.max(window.until.getTime(), since.getTime()));
  if ((await readClock(tx)) < until)
    return { kind: 'refused', code: 'DAY_NOT_OVER', reason: `The day ${next} is not over in ${options.timeZone}.` };
  await closeNext(tx, options, { day: next, since, until, before: last });
  return next === day ? { kind: 'closed', now: true } : { kind: 'first-close', day: next };
}

/**
 * Closes a day and, one by one, the days before it that were missed; a day that is closed is given as it was. Each day is
 * one transaction under a lock: nobody closes beside it, and what is cut off has not happened.
 */
export async function closeDay(
  options: ClosingOptions & {
    /** `worker`, or `cli:ada`: a person's closing is an audit row. */
    by: string;
    /** Who is owed a mail about it; empty: nobody. */
    recipients?: readonly string[];
  },
  day: Day,
): Promise<Closing> {
  const { database, by } = options;
  const asked = { ...options, recipients: options.recipients ?? [] };
  const before: Day[] = [];
  const notOver = (): Closing => ({
    kind: 'refused',
    code: 'DAY_NOT_OVER',
    reason: `The day ${day} is not over in ${options.timeZone}.`,
  });
  if ((await readClock(database.executor)) < windowOf(day, options.timeZone).until) return notOver();
  let mine = false;
  for (let turn = 0; turn < DAYS_MAX; turn += 1) {
    const closed = await readDay(database.executor, day);
    if (closed !== undefined) return { kind: 'closed', day: closed, now: mine, before };
    const work = (tx: Transaction): Promise<Step> => step(tx, asked, day);
    const ending = by.startsWith('cli:')
      ? await auditedTransaction(
          database,
          { who: by, action: 'day.close', object: `day:${day}`, why: 'asked for at the command line' },
          work,
          (done) => ({
            outcome: done.kind === 'refused' ? 'refused' : 'done',
            detail: done.kind === 'first-close' ? done.day : done.kind === 'refused' ? done.code : null,
          }),
        )
      : await database.transaction(work);
    if (ending.kind === 'refused') return ending;
    if (ending.kind === 'first-close') before.push(ending.day);
    else mine = ending.now;
  }
  const reason = `More than ${DAYS_MAX} days are missing before ${day}; type it again, it goes on.`;
  return { kind: 'refused', code: 'TOO_MANY_DAYS', reason };
}

/** The day that closing gives when no day is named. */
export const yesterday = (timeZone: string, now: Date = new Date()): Day => addDays(dayOf(now, timeZone), -1);

/**
 * Closes every day that is due: over for `afterMs`, and next in the chain. The first is yesterday, if the bridge was
 * there by then. Returns the days that were closed now.
 */
export async function closeDueDays(
  options: ClosingOptions & { by: string; recipients: readonly string[]; afterMs: number; firstMigratedAt: Date },
): Promise<ClosedDay[]> {
  const { database, timeZone, afterMs, firstMigratedAt } = options;
  const now = await readClock(database.executor);
  const last = (await readEnds(database.executor))?.last;
  const target = yesterday(timeZone, new Date(now.getTime() - afterMs));
  if (last === undefined ? windowOf(target, timeZone).until <= firstMigratedAt : target <= last.day) return [];
  const closing = await closeDay(options, target);
  if (closing.kind === 'refused') return [];
  const closed: ClosedDay[] = [];
  for (const day of [...closing.before, ...(closing.now ? [closing.day.day] : [])]) {
    const found = await readDay(database.executor, day);
    if (found !== undefined) closed.push(found);
  }
  return closed;
}

/**
 * What a walk along the chain of closed days found. `head`: of the last day that holds; `broken`: the first that does
 * not.
 */
export interface ChainCheck {
  /** Links looked at. */
  checked: number;
  /** Of these, how many had their contents erased: only their digests could be checked. */
  erased: number;
  head: string | null;
  broken: BrokenLink | null;
}

/** Goes through the chain from its beginning and stops at the first link that does not hold. */
export async function verifyDays(database: Database): Promise<ChainCheck> {
  const { executor } = database;
  let before: Link | undefined;
  let [checked, erased] = [0, 0];
  for await (const link of readLinks(executor)) {
    checked += 1;
    if (link.contents === null) erased += 1;
    const broken = breakOf(link, before) ?? (await breakOfEntries(database, link));
    if (broken !== undefined) return { checked, erased, head: before?.head.toString('hex') ?? null, broken };
    before = link;
  }
  return { checked, erased, head: before?.head.toString('hex') ?? null, broken: null };
}

async function breakOfEntries({ executor }: Database, link: Link): Promise<BrokenLink | undefined> {
  if (link.contents === null) return undefined;
  const { entries } = JSON.parse(link.contents) as DayContents;
  const kept: KeptEntry[] = [];
  for await (const page of readEntries(executor, link.day, link.day)) kept.push(...page);
  const counted = digestOfEntries(kept);
  if (counted.count === entries.count && counted.digest === entries.digest) return undefined;
  return {
    day: link.day,
    what: `Its list of payments, refunds and disputes was changed: ${counted.count} are there, ${entries.count} were closed.`,
  };
}
