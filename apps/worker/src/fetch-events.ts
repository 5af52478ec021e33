import type { Database } from '@bridge/database';
import { type Delivery, type Inbox, type Recorded, readStripeEvent } from '@bridge/inbox';
import type { EventDelivery, EventWatermarks } from '@bridge/reconciliation';
import type { StripeClient, StripeObject } from '@bridge/stripe-client';
import { type CreatedWindow, type ListAsker, type ListedPage, oldestFirst } from './oldest-first';

/** As many exact names Stripe's list takes in one question. */
const TYPES_MAX = 20;
/** Stripe keeps events for 30 days; an hour less, so that none leaves the list while it is walked. */
const LIST_REACHES_MS = 30 * 86_400_000 - 3_600_000;
/** Events may appear in the list later than ones that were made after them: so far each fetch looks back again. */
const OVERLAP_MS: Readonly<Record<EventDelivery, number>> = { pull: 300_000, reconciliation: 900_000 };
/**
 * The newest events belong to the webhook, which is on its way or sent again; what is found first begins with a question,
 * which some scripts cannot answer. As long as the objects passes leave young money alone.
 */
const LEAVE_TO_WEBHOOKS_MS = 10 * 60_000;
/** In quiet times the mark follows our clock at this distance: a clock that is fast by less loses nothing. */
const QUIET_MS = 3_600_000;
/** Pages of one run, a hundred events each; what is left comes with the next. */
const PAGES_MAX = 200;

/**
 * Tells whether this database is the one that fetched last. It lies outside PostgreSQL: after a restore from a backup the
 * two do not agree, and what is fetched again may have happened already.
 */
export interface FetchWitness {
  /** The number of the last fetch; null when it is not known. */
  read(): Promise<string | null>;
  write(fetchNo: string): Promise<void>;
}

export interface FetchEventsOptions {
  database: Database;
  inbox: Pick<Inbox, 'missing' | 'record'>;
  watermarks: EventWatermarks;
  listEvents: StripeClient['listEvents'];
  delivery: EventDelivery;
  /** Event types that the flows which are on act on. */
  wants: ReadonlySet<string>;
  /** Whether the Stripe key is a live one. */
  livemode: boolean;
  /** Events from before are left alone. */
  from: Date;
  witness: FetchWitness;
  /** One fetch at a time, all processes together. */
  takeDuty(): Promise<boolean>;
  dropDuty(): Promise<void>;
  /** Told after each page's commit. */
  onRecorded?(stored: readonly Recorded[]): Promise<void>;
  now?: () => Date;
  pagesMax?: number;
}

export interface FetchedEvents {
  listed: number;
  /** Of those, the ones that no webhook and no earlier fetch had brought. */
  recorded: number;
  /** There is more: the next run goes on. */
  more: boolean;
  /** Stripe's list does not reach back to what lies between. */
  missed: { from: Date; until: Date } | null;
  /** What is recorded now may have happened before: it begins with a question to the peer. */
  recovering: boolean;
}

const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1_000);
const later = (one: Date, other: Date): Date => (one > other ? one : other);

function askerOf(listEvents: StripeClient['listEvents'], types: readonly string[]): ListAsker<StripeObject> {
  const page = async (
    { since, until }: CreatedWindow,
    from: { newerThan?: string; olderThan?: string },
  ): Promise<ListedPage<StripeObject>> => {
    const created = { gte: since, ...(until === undefined ? {} : { lte: until }) };
    for await (const { items, hasMore } of listEvents({ types, created, pagesMax: 1, ...from }))
      return { items, hasMore };
    return { items: [], hasMore: false };
  };
  return {
    newest: (window) => page(window, {}),
    older: (window, olderThan) => page(window, { olderThan }),
    newerThan: (window, newerThan) => page(window, { newerThan }),
  };
}

const groupsOf = (types: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(types.length / TYPES_MAX) }, (_, index) =>
    types.slice(index * TYPES_MAX, (index + 1) * TYPES_MAX),
  );

/**
 * Reads Stripe's list of events into the inbox, from where the last fetch came to. An event that is not there becomes a
 * row under its own id, so that the webhook which comes later is a duplicate; its body is what the list gave, written as
 * JSON (the bytes of a webhook differ, and only those are signed). The mark moves in the transaction that stores a page,
 * so that a kill costs nothing but a page read twice. Throws StripeCallError. Undefined: another process is at it.
 */
export async function fetchEvents(options: FetchEventsOptions): Promise<FetchedEvents | undefined> {
  if (!(await options.takeDuty())) return undefined;
  try {
    return await fetchOnce(options);
  } finally {
    await options.dropDuty();
  }
}

async function fetchOnce(options: FetchEventsOptions): Promise<FetchedEvents> {
  const { watermarks, delivery, witness } = options;
  const now = options.now?.() ?? new Date();
  const mark = await watermarks.read();
  const reached = mark?.reachedAt ?? null;
  const recovering = delivery === 'reconciliation' || (await mayHaveHappened(witness, mark?.fetchNo ?? '0', reached));
  const wanted = later(
    options.from,
    reached === null ? options.from : new Date(reached.getTime() - OVERLAP_MS[delivery]),
  );
  const oldest = new Date(now.getTime() - LIST_REACHES_MS);
  // At the first fetch of all, webhooks may well have brought what lies further back.
  const missed = reached !== null && wanted < oldest ? { from: wanted, until: oldest } : null;
  if (missed !== null) await watermarks.noteMissed(delivery, missed);
  const since = later(wanted, oldest);
  const until = delivery === 'pull' ? undefined : new Date(now.getTime() - LEAVE_TO_WEBHOOKS_MS);
  const told: FetchedEvents = { listed: 0, recorded: 0, more: false, missed, recovering };
  if (until === undefined || since < until) await readWindow(options, { since, until, now }, told);
  if (!told.more) {
    const quiet = new Date(now.getTime() - QUIET_MS);
    if (reached === null || quiet > reached)
      await options.database.transaction((tx) => watermarks.advance(tx, { reachedAt: quiet, delivery }));
    await witness.write(await watermarks.finish(delivery));
  }
  return told;
}

/**
 * PostgreSQL is behind the witness, or there is none. Where nothing was fetched before there is nothing that a restore
 * could have forgotten; a witness that is behind has only missed the last word.
 */
async function mayHaveHappened(witness: FetchWitness, fetchNo: string, reached: Date | null): Promise<boolean> {
  if (reached === null) return false;
  const witnessed = await witness.read();
  return witnessed === null || !/^\d{1,18}$/.test(witnessed) || BigInt(witnessed) > BigInt(fetchNo);
}

async function readWindow(
  options: FetchEventsOptions,
  { since, until, now }: { since: Date; until: Date | undefined; now: Date },
  told: FetchedEvents,
): Promise<void> {
  const groups = groupsOf([...options.wants].sort());
  const window = { since: toSeconds(since), until: until === undefined ? undefined : toSeconds(until) };
  /** The newest event of all, and how far each group came whose pages were not all read. */
  let newest: Date | undefined;
  const brokenOff: (Date | undefined)[] = [];
  for (const types of groups) {
    const walk = oldestFirst(askerOf(options.listEvents, types), window, {
      now: toSeconds(now),
      pagesMax: options.pagesMax ?? PAGES_MAX,
    });
    let reached: Date | undefined;
    for (;;) {
      const next = await walk.next();
      if (next.done === true) {
        if (!next.value.complete) brokenOff.push(reached);
        break;
      }
      const stored = await storePage(options, next.value, told.recovering, groups.length === 1);
      if (stored.newest !== undefined) reached = later(stored.newest, reached ?? stored.newest);
      told.listed += next.value.length;
      told.recorded += stored.recorded.filter(({ outcome }) => outcome === 'new').length;
      await options.onRecorded?.(stored.recorded);
    }
    if (reached !== undefined) newest = later(reached, newest ?? reached);
  }
  told.more ||= brokenOff.length > 0;
  // Several groups of types share one mark: it moves as far as all of them have been read.
  const reachedAt = brokenOff.length === 0 ? newest : earliest(brokenOff);
  if (groups.length > 1 && reachedAt !== undefined) {
    await options.database.transaction((tx) =>
      options.watermarks.advance(tx, { reachedAt, delivery: options.delivery }),
    );
  }
}

/** Undefined where one of them is. */
const earliest = (dates: readonly (Date | undefined)[]): Date | undefined =>
  dates.includes(undefined) ? undefined : new Date(Math.min(...dates.map((date) => Number(date))));

async function storePage(
  options: FetchEventsOptions,
  events: readonly StripeObject[],
  recovering: boolean,
  movesMark: boolean,
): Promise<{ recorded: Recorded[]; newest: Date | undefined }> {
  const { database, inbox, watermarks, delivery, livemode, wants } = options;
  const missing = new Set(await inbox.missing(events.map(({ id }) => id)));
  const deliveries: Delivery[] = [];
  let newest: Date | undefined;
  for (const event of events) {
    const read = readStripeEvent(Buffer.from(JSON.stringify(event), 'utf8'), recovering ? 'reconciliation' : delivery, {
      livemode,
      wants: (type) => wants.has(type),
    });
    // What Stripe lists as an event and we cannot read has no row to be kept in; the objects passes find its payment.
    if ('fault' in read) continue;
    if (read.eventCreatedAt !== null)
      newest = newest === undefined ? read.eventCreatedAt : later(newest, read.eventCreatedAt);
    if (missing.has(read.eventId)) deliveries.push(read);
  }
  const recorded = await database.transaction(async (tx) => {
    const stored = await inbox.record(deliveries, tx);
    if (movesMark && newest !== undefined) await watermarks.advance(tx, { reachedAt: newest, delivery });
    return stored;
  });
  return { recorded, newest };
}
