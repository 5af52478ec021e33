import { type Database, oneRow } from '@bridge/database';
import { readInstallation, readRecoveryStart } from '@bridge/installation';
import { sql } from 'drizzle-orm';
import { addDays, type Day, dayOf, windowOf } from '../days/calendar';
import { type CurrencyFigures, type DayEntry, type Standing, sumByCurrency } from '../days/day-contents';
import { type KeptEntry, readEnds, readEntries } from '../days/day-store';
import { gatherEntries, type RecordingFlow } from '../days/gather-day';
import { readEffectStandings } from '../tables/read-proof-tables';

/** Money that moved, as the accountant gets it: one for each payment, refund and dispute. */
export interface ReportedMove {
  /** The day whose totals it is part of. */
  day: Day;
  /** The day of its money; earlier than `day` for what became known after that day was closed. */
  moneyDay: Day;
  at: Date;
  flow: string;
  kind: DayEntry['kind'];
  id: string;
  paymentId: string;
  title: string;
  related: readonly string[];
  /** Minor units. */
  amount: number;
  currency: string;
  /** As it stands now. */
  standing: Standing;
  closed: boolean;
}

/** Sums of one day and currency, in minor units. */
export interface ReportRow extends CurrencyFigures {
  day: Day;
  /** False: the day can still change. */
  closed: boolean;
}

/** Sums of a span of days, both ends included, by the clock of `timeZone`. */
export interface Report {
  since: Day;
  until: Day;
  timeZone: string;
  /** By day and currency; days without money are left out. */
  rows: ReportRow[];
  /** By currency. */
  totals: CurrencyFigures[];
  /** The first day that is the bridge's to close: of its first migration, unless recovery or the closed days begin before. */
  firstDay: Day;
  /** Days of the time that are closed, and days from the bridge's first up to today that are not. */
  closedDays: number;
  openDays: number;
}

/**
 * Which days, by whose clock, of whose records. `reconcileFrom` is RECONCILE_FROM of the asker's configuration. `onMoves`
 * of `readReport` is given each payment, refund and dispute.
 */
export interface ReportOptions {
  database: Database;
  flows: readonly RecordingFlow[];
  timeZone: string;
  since: Day;
  /** Included. */
  until: Day;
  reconcileFrom?: Date | undefined;
}

/** Days from before the installation are not the bridge's: nobody is to wait for their closing. */
async function firstDayOf({ database, timeZone, reconcileFrom }: ReportOptions): Promise<Day> {
  const { firstMigratedAt } = await readInstallation(database);
  const start = await readRecoveryStart(database.executor, reconcileFrom);
  const first = dayOf(new Date(Math.min(start.at.getTime(), firstMigratedAt.getTime())), timeZone);
  const chained = (await readEnds(database.executor))?.first.day;
  return chained !== undefined && chained < first ? chained : first;
}

async function standingsNow(database: Database, entries: readonly KeptEntry[]): Promise<Map<string, Standing>> {
  const keys = entries.map(({ effectKey }) => effectKey).filter((key) => key !== null);
  const effects = await readEffectStandings(database.executor, keys);
  return new Map(
    entries.map((entry) => {
      const effect = effects.get(entry.effectKey ?? '');
      const state = effect?.state;
      const standing =
        state === 'done'
          ? effect?.verified === true
            ? 'verified'
            : 'unverified'
          : state === 'cancelled'
            ? state
            : state === 'parked'
              ? state
              : 'waiting';
      return [`${entry.flow}:${entry.kind}:${entry.id}`, effect === undefined ? entry.standing : standing];
    }),
  );
}

async function* closedMoves({ database, since, until }: ReportOptions): AsyncIterable<ReportedMove[]> {
  for await (const page of readEntries(database.executor, since, until)) {
    const standings = await standingsNow(database, page);
    yield page.map(({ closedIn, day, factId, effectKey: _key, ...entry }) => ({
      ...entry,
      day: closedIn,
      moneyDay: day,
      paymentId: factId,
      standing: standings.get(`${entry.flow}:${entry.kind}:${entry.id}`) ?? entry.standing,
      closed: true,
    }));
  }
}

/** Spans of days that no closed day covers: before the chain, after it, or all when nothing was ever closed. */
async function openSpans({
  database,
  timeZone,
  since,
  until,
}: ReportOptions): Promise<{ from: Date; to: Date; day: Day; late: boolean }[]> {
  const ends = await readEnds(database.executor);
  const span = (first: Day, last: Day, from: Date): { from: Date; to: Date; day: Day; late: boolean } => ({
    from,
    to: windowOf(last, timeZone).until,
    day: first,
    late: ends !== undefined && first === addDays(ends.last.day, 1),
  });
  if (ends === undefined) return [span(since, until, windowOf(since, timeZone).since)];
  const spans = [];
  if (since < ends.first.day) {
    const last = until < ends.first.day ? until : addDays(ends.first.day, -1);
    spans.push(span(since, last, windowOf(since, timeZone).since));
  }
  if (until > ends.last.day) {
    const next = addDays(ends.last.day, 1);
    const first = since > next ? since : next;
    spans.push(span(first, until, first === next ? ends.last.until : windowOf(first, timeZone).since));
  }
  return spans;
}

async function clockOf(database: Database): Promise<Date> {
  const clock = await oneRow<{ now: string }>(database.executor, sql`select clock_timestamp() as now`);
  return new Date(clock?.now ?? Date.now());
}

async function* openMoves(options: ReportOptions): AsyncIterable<ReportedMove[]> {
  const { database, flows, timeZone } = options;
  const { executor } = database;
  const now = await clockOf(database);
  for (const { from, to, day, late } of await openSpans(options)) {
    const window = { day, timeZone, since: from, until: to, writtenSince: from, closedAt: now };
    const entries = await gatherEntries(executor, flows, window);
    const moves = entries
      // Late money is counted by the next closing, which is that of the first day after the chain.
      .filter((entry) => entry.at >= from || late)
      .map(({ at, flow, kind, id, factId, title, related, amount, currency, standing }) => {
        const moneyDay = dayOf(at, timeZone);
        const of = at < from ? day : moneyDay;
        return {
          day: of,
          moneyDay,
          at,
          flow,
          kind,
          id,
          paymentId: factId,
          title,
          related,
          amount,
          currency,
          standing,
          closed: false,
        };
      });
    if (moves.length > 0) yield moves.sort((a, b) => a.at.getTime() - b.at.getTime());
  }
}

/**
 * What was paid, applied and refunded in a time. Paid, refunded and disputed of a closed day are what it was closed with;
 * how payments stand in FileMaker is as of now. `onMoves` gets every move, in pages: closed days first.
 */
export async function readReport(
  options: ReportOptions,
  onMoves: (moves: readonly ReportedMove[]) => void = () => undefined,
): Promise<Report> {
  const { since, until, timeZone } = options;
  const byDay = new Map<
    Day,
    { closed: boolean; moves: Pick<ReportedMove, 'kind' | 'currency' | 'amount' | 'standing'>[] }
  >();
  for (const source of [closedMoves(options), openMoves(options)]) {
    for await (const moves of source) {
      onMoves(moves);
      for (const { day, closed, kind, currency, amount, standing } of moves) {
        const of = byDay.get(day) ?? { closed, moves: [] };
        byDay.set(day, of);
        of.moves.push({ kind, currency, amount, standing });
      }
    }
  }
  const days = [...byDay].sort(([a], [b]) => (a < b ? -1 : 1));
  const ends = await readEnds(options.database.executor);
  let [closedDays, openDays] = [0, 0];
  const [today, firstDay] = [dayOf(await clockOf(options.database), timeZone), await firstDayOf(options)];
  for (let day = since; day <= until; day = addDays(day, 1)) {
    if (ends !== undefined && day >= ends.first.day && day <= ends.last.day) closedDays += 1;
    else if (day >= firstDay && day <= today) openDays += 1;
  }
  return {
    since,
    until,
    timeZone,
    rows: days.flatMap(([day, { closed, moves }]) =>
      sumByCurrency(moves).map((figures) => ({ day, closed, ...figures })),
    ),
    totals: sumByCurrency(days.flatMap(([, { moves }]) => moves)),
    firstDay,
    closedDays,
    openDays,
  };
}
