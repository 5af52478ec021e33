import type { ReconcilePage, ReconcileWindow } from '@bridge/flow';
import { z } from 'zod';
import { compareMadePage, type Stranger } from './compare-made';
import type { PageContext } from './compare-page';
import { DISPUTE_ENDS, REFUND_UNDER_WAY } from './compare-reversals';
import { asPage, compareReversalsSingly, compareStrangers, SINGLE_PAGE } from './compare-singly';
import {
  dateOf,
  type ListedRange,
  listPlaceShape,
  placeSchema,
  restOfList,
  secondsOf,
  stepBehind,
} from './listed-range';
import { type MadePlace, type Place, readOlderReversals, readUnlistedReversals } from './read-recorded';

const DAY_MS = 24 * 60 * 60_000;
export const REVERSALS_EVERY_MS = DAY_MS / 4;
export const REVERSALS_LOOK_BACK_MS = 15 * DAY_MS;

/**
 * A refund of the last day whose payment we do not know has its payment looked up each time, an older one once in so many looks.
 * Nearly always it is money that came another way: an account may have a thousand of these. Primes, as for pending payments.
 */
const STRANGER_TURNS = 13;
/** What is under way and older than the window: about once a day. */
const UNDER_WAY_TURNS = 5;
/** A refund that succeeded before the window can still fail: about once a week. */
const OLDER_TURNS = 29;
/** One run looks up no more strangers, and no more of ours by their ids; the others have their turn in later runs. */
const STRANGERS_MAX = 200;
const SINGLES_MAX = 500;

const KINDS = ['refund', 'dispute'] as const;
type Kind = (typeof KINDS)[number];

/** A walk through what was made: the list of refunds, that of disputes, then ours that were made before the window. */
const madeCursor = z.object({
  ...listPlaceShape,
  kind: z.enum(['refund', 'dispute', 'older']),
  /** PaymentIntents that our records do not have and that are still to be looked up. */
  strangers: z.array(z.string()),
  /** What this run has asked for one by one so far. */
  strangersLooked: z.number().int(),
  singlesLooked: z.number().int(),
  /** Among ours of before the window. */
  behind: placeSchema.optional(),
});
type MadeCursor = z.output<typeof madeCursor>;
/** As earlier versions wrote it. */
const before = z.object({ kind: z.enum(KINDS), olderThan: z.string().optional() });

const SHARES: Readonly<Record<MadeCursor['kind'], number>> = { refund: 0.25, dispute: 0.75, older: 0.9 };

/** FNV-1a: the same object has the same turn in every process. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/**
 * Refunds, then disputes, by when they were made: what befalls an old payment no list of Sessions shows. Both ways: what of ours
 * was made in the window and the list did not name is asked for by its id, and so is what was made before the window and may
 * still change. A payment that our records do not have is looked up: it may be one of ours that was missed and has left every
 * window of its own.
 */
export async function* compareMade(
  window: ReconcileWindow,
  contextNow: () => PageContext,
): AsyncIterable<ReconcilePage> {
  const { cursor, executor, peers, recovery } = contextNow();
  const { livemode } = peers;
  const since = secondsOf(window.since);
  const until = secondsOf(window.until);
  const turn = Math.floor(window.until.getTime() / REVERSALS_EVERY_MS);
  const begin = (kind: MadeCursor['kind']) => ({ kind, born: until - 1, edge: [], olderThan: undefined });
  const none = { strangers: [], strangersLooked: 0, singlesLooked: 0 };
  const read = madeCursor.safeParse(cursor ?? { ...begin('refund'), ...none });
  // A run that an earlier version left: its list goes on where it was.
  let at: MadeCursor = read.success
    ? read.data
    : { ...begin('refund'), ...none, ...before.parse(cursor), ended: undefined, range: undefined };

  // Made since the last run's window ended, whenever that was, and never less than a day.
  const recentFrom = Math.min(window.until.getTime() - DAY_MS, window.since.getTime() + REVERSALS_LOOK_BACK_MS);
  const isDue = ({ paymentIntentId, createdAt }: Stranger): boolean =>
    createdAt === undefined ||
    createdAt.getTime() >= recentFrom ||
    hashOf(paymentIntentId) % STRANGER_TURNS === turn % STRANGER_TURNS;

  async function* lookUpStrangers(): AsyncIterable<ReconcilePage> {
    while (at.strangers.length > 0) {
      const { page, sessions } = await compareStrangers(at.strangers.slice(0, SINGLE_PAGE), contextNow());
      at = { ...at, strangers: at.strangers.slice(SINGLE_PAGE) };
      yield asPage(page, { listed: sessions, cursor: at, share: SHARES[at.kind] });
    }
  }

  /** Those of ours that `next` names, page by page, while this run may still ask. */
  async function* lookUpOurs(
    next: (limit: number) => Promise<MadePlace[]>,
    step: (last: Place) => Partial<MadeCursor>,
  ): AsyncIterable<ReconcilePage> {
    for (;;) {
      const limit = Math.min(SINGLE_PAGE, SINGLES_MAX - at.singlesLooked);
      if (limit <= 0) return;
      const places = await next(limit);
      const last = places.at(-1);
      if (last === undefined) return;
      at = { ...at, ...step({ bornAt: last.bornAt, id: last.id }), singlesLooked: at.singlesLooked + places.length };
      const page = await compareReversalsSingly(places, contextNow());
      yield asPage(page, { listed: places.length, cursor: at, share: SHARES[at.kind] });
      if (places.length < limit) return;
    }
  }

  async function* unlisted(kind: Kind, range: ListedRange): AsyncIterable<ReconcilePage> {
    yield* lookUpOurs(
      (limit) =>
        readUnlistedReversals(executor, {
          kind,
          after: dateOf(range.after),
          upTo: dateOf(range.upTo),
          named: range.named,
          behind: at.range?.behind,
          livemode,
          limit,
        }),
      (behind) => ({ range: { ...range, behind } }),
    );
    at = { ...at, range: undefined };
  }

  async function* oneList(kind: Kind): AsyncIterable<ReconcilePage> {
    yield* lookUpStrangers();
    if (at.range !== undefined) yield* unlisted(kind, at.range);
    if (at.ended === true) return;
    for await (const listed of recovery.listReversals(kind, { ...window, olderThan: at.olderThan })) {
      const { strangers, ...page } = await compareMadePage(kind, listed, contextNow());
      const room = Math.max(0, STRANGERS_MAX - at.strangersLooked);
      const due = [...new Set(strangers.filter(isDue).map(({ paymentIntentId }) => paymentIntentId))].slice(0, room);
      const left = strangers.filter(({ paymentIntentId }) => !due.includes(paymentIntentId));
      const range = stepBehind(at, listed);
      at = { ...at, ...range, strangers: due, strangersLooked: at.strangersLooked + due.length };
      yield asPage(
        { ...page, checked: page.checked - left.length },
        { listed: listed.length, cursor: at, share: SHARES[kind] },
      );
      yield* lookUpStrangers();
      yield* unlisted(kind, range.range);
    }
    const range = restOfList(at, since);
    at = { ...at, range, ended: true };
    yield* unlisted(kind, range);
  }

  for (const kind of KINDS) {
    if (at.kind === 'older' || (at.kind === 'dispute' && kind === 'refund')) continue;
    yield* oneList(kind);
    at = { ...at, ...begin(kind === 'refund' ? 'dispute' : 'older'), range: undefined, ended: undefined };
  }
  yield* lookUpOurs(
    (limit) =>
      readOlderReversals(executor, {
        before: window.since,
        refundsUnderWay: REFUND_UNDER_WAY,
        disputesEnded: [...DISPUTE_ENDS],
        turn,
        turns: UNDER_WAY_TURNS,
        olderTurns: OLDER_TURNS,
        behind: at.behind,
        livemode,
        limit,
      }),
    (behind) => ({ behind }),
  );
}
