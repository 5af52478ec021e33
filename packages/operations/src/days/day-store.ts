import { changed, type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { Day } from './calendar';
import type { Link } from './chain';
import type { DayContents, DayEntry, Standing } from './day-contents';

/** A link of the chain as it is kept. */
export interface ClosedDay {
  day: Day;
  number: number;
  timeZone: string;
  since: Date;
  until: Date;
  closedAt: Date;
  closedBy: string;
  /** Null once erased. */
  contents: DayContents | null;
  /** Lower-case hexadecimal, like the two heads. */
  digest: string;
  previousHead: string;
  head: string;
}

interface DayRow {
  day: string;
  number: number;
  time_zone: string;
  since: string;
  until: string;
  closed_at: string;
  closed_by: string;
  contents: string | null;
  digest: Buffer;
  previous_head: Buffer;
  head: Buffer;
}

const columns = sql`to_char(day, 'YYYY-MM-DD') as day, number, time_zone, since, until, closed_at, closed_by, contents, digest, previous_head, head`;

function toClosedDay(row: DayRow): ClosedDay {
  return {
    day: row.day,
    number: row.number,
    timeZone: row.time_zone,
    since: new Date(row.since),
    until: new Date(row.until),
    closedAt: new Date(row.closed_at),
    closedBy: row.closed_by,
    contents: row.contents === null ? null : (JSON.parse(row.contents) as DayContents),
    digest: row.digest.toString('hex'),
    previousHead: row.previous_head.toString('hex'),
    head: row.head.toString('hex'),
  };
}

/** Nobody else closes a day until the transaction ends; reading goes on. */
export async function lockChain(tx: Executor): Promise<void> {
  await changed(tx, sql`lock table operations.days in share row exclusive mode`);
}

export async function readDay(executor: Executor, day: Day): Promise<ClosedDay | undefined> {
  const row = await oneRow<DayRow>(executor, sql`select ${columns} from operations.days where day = ${day}::date`);
  return row === undefined ? undefined : toClosedDay(row);
}

/** The two ends of the chain; undefined while no day is closed. */
export async function readEnds(executor: Executor): Promise<{ first: ClosedDay; last: ClosedDay } | undefined> {
  const [last] = await rows<DayRow>(executor, sql`select ${columns} from operations.days order by number desc limit 1`);
  const [first] = await rows<DayRow>(executor, sql`select ${columns} from operations.days order by number limit 1`);
  return first === undefined || last === undefined ? undefined : { first: toClosedDay(first), last: toClosedDay(last) };
}

const LINKS_PER_PAGE = 100;

/** The chain from its beginning, with the contents exactly as they are kept. */
export async function* readLinks(executor: Executor): AsyncIterable<Link> {
  let after = 0;
  for (;;) {
    const page = await rows<DayRow>(
      executor,
      sql`select ${columns} from operations.days where number > ${after} order by number limit ${LINKS_PER_PAGE}`,
    );
    for (const { day, number, contents, digest, previous_head, head } of page)
      yield { day, number, contents, digest, previousHead: previous_head, head };
    after = page.at(-1)?.number ?? after;
    if (page.length < LINKS_PER_PAGE) return;
  }
}

export async function insertDay(
  tx: Executor,
  link: Link,
  rest: Pick<ClosedDay, 'timeZone' | 'since' | 'until' | 'closedAt' | 'closedBy'>,
): Promise<void> {
  await changed(
    tx,
    sql`insert into operations.days (day, number, time_zone, since, until, closed_at, closed_by, contents, digest, previous_head, head)
        values (${link.day}::date, ${link.number}, ${rest.timeZone}, ${rest.since.toISOString()}::timestamptz, ${rest.until.toISOString()}::timestamptz,
          ${rest.closedAt.toISOString()}::timestamptz, ${rest.closedBy}, ${link.contents}, ${link.digest}, ${link.previousHead}, ${link.head})`,
  );
}

const ENTRIES_PER_STATEMENT = 1_000;

export async function insertEntries(
  tx: Executor,
  closedIn: Day,
  entries: readonly DayEntry[],
  isOpen: (entry: DayEntry) => boolean,
): Promise<void> {
  for (let at = 0; at < entries.length; at += ENTRIES_PER_STATEMENT) {
    const some = entries.slice(at, at + ENTRIES_PER_STATEMENT).map((entry) => ({
      flow: entry.flow,
      kind: entry.kind,
      id: entry.id,
      day: entry.day,
      at: entry.at.toISOString(),
      fact_id: entry.factId,
      related: entry.related,
      title: entry.title,
      amount: entry.amount,
      currency: entry.currency,
      effect_key: entry.effectKey,
      standing: entry.standing,
      open: isOpen(entry),
    }));
    await changed(
      tx,
      sql`insert into operations.day_entries (closed_in, flow, kind, id, day, at, fact_id, related, title, amount, currency, effect_key, standing, open)
          select ${closedIn}::date, e.* from jsonb_to_recordset(${JSON.stringify(some)}::jsonb) as e(
            flow text, kind text, id text, day date, at timestamptz, fact_id text, related text[], title text, amount bigint,
            currency text, effect_key text, standing text, open boolean)`,
    );
  }
}

/** Which of these are counted by a closed day already, as `kind:id`. */
export async function readCounted(tx: Executor, flow: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const found = await rows<{ kind: string; id: string }>(
    tx,
    sql`select kind, id from operations.day_entries where flow = ${flow} and id = any(${sql.param([...ids])}::text[])`,
  );
  return new Set(found.map(({ kind, id }) => `${kind}:${id}`));
}

/** An entry as it is kept: without the reason, which may change. */
export interface KeptEntry {
  flow: string;
  kind: DayEntry['kind'];
  id: string;
  closedIn: Day;
  day: Day;
  at: Date;
  factId: string;
  related: string[];
  title: string;
  amount: number;
  currency: string;
  effectKey: string | null;
  standing: Standing;
}

interface EntryRow {
  flow: string;
  kind: DayEntry['kind'];
  id: string;
  closed_in: string;
  day: string;
  at: string;
  fact_id: string;
  related: string[];
  title: string;
  amount: string;
  currency: string;
  effect_key: string | null;
  standing: Standing;
}

const entryColumns = sql`flow, kind, id, to_char(closed_in, 'YYYY-MM-DD') as closed_in, to_char(day, 'YYYY-MM-DD') as day, at, fact_id, related,
  title, amount, currency, effect_key, standing`;

const toKept = ({ closed_in, fact_id, effect_key, at, amount, ...row }: EntryRow): KeptEntry => ({
  ...row,
  closedIn: closed_in,
  at: new Date(at),
  factId: fact_id,
  effectKey: effect_key,
  amount: Number(amount),
});

/** Rows of one question. */
const ENTRIES_PER_PAGE = 1_000;

/** Payments that were not settled when they were last looked at, the oldest first, page by page. */
export async function* readOpenEntries(tx: Executor): AsyncIterable<readonly KeptEntry[]> {
  let last: EntryRow | undefined;
  for (;;) {
    const after =
      last === undefined
        ? sql`true`
        : sql`(at, flow, id) > (${last.at}::timestamptz, ${last.flow}::text, ${last.id}::text)`;
    const page: EntryRow[] = await rows<EntryRow>(
      tx,
      sql`select ${entryColumns} from operations.day_entries where open and ${after}
          order by day_entries.at, flow, id limit ${ENTRIES_PER_PAGE}`,
    );
    if (page.length > 0) yield page.map(toKept);
    if (page.length < ENTRIES_PER_PAGE) return;
    last = page.at(-1);
  }
}

export async function settleEntries(
  tx: Executor,
  flow: string,
  standing: Standing,
  ids: readonly string[],
): Promise<void> {
  await changed(
    tx,
    sql`update operations.day_entries set standing = ${standing}, open = false
        where flow = ${flow} and kind = 'payment' and id = any(${sql.param([...ids])}::text[])`,
  );
}

/** What the closed days from `since` to `until` counted, day by day, in the order of its moments. */
export async function* readEntries(executor: Executor, since: Day, until: Day): AsyncIterable<readonly KeptEntry[]> {
  let last: EntryRow | undefined;
  for (;;) {
    const after =
      last === undefined
        ? sql`true`
        : sql`(closed_in, at, flow, kind, id) > (${last.closed_in}::date, ${last.at}::timestamptz, ${last.flow}::text, ${last.kind}::text, ${last.id}::text)`;
    const page: EntryRow[] = await rows<EntryRow>(
      executor,
      sql`select ${entryColumns} from operations.day_entries
          where closed_in between ${since}::date and ${until}::date and ${after}
          order by day_entries.closed_in, at, flow, kind, id limit ${ENTRIES_PER_PAGE}`,
    );
    if (page.length > 0) yield page.map(toKept);
    if (page.length < ENTRIES_PER_PAGE) return;
    last = page.at(-1);
  }
}
