import type { ReconcilePage, ReconcileWindow } from '@bridge/flow';
import { z } from 'zod';
import { compareMadePage, type Stranger } from './compare-made';
import type { PageContext } from './compare-page';
import { DISPUTE_ENDS, REFUND_UNDER_WAY } from './compare-reversals';
import { asPage, compareReversalsSingly, compareStrangers, NOTHING, SINGLE_PAGE } from './compare-singly';
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
 * A refund or dispute whose payment we do not know has its payment looked up by the first run behind its making, and then once
 * in so many runs. Nearly always it is money that came another way: an account may have a thousand of these. Primes, as for
 * pending payments.
 */
const STRANGER_TURNS = 13;
/** What is under way and older than the window: about once a day. */
const UNDER_WAY_TURNS = 5;
/** A refund that succeeded before the window can still fail: about once a week. */
const OLDER_TURNS = 29;
/** A run sees again what was made shortly before the last one ended: that was too young then. */
const OVERLAP_MS = DAY_MS / 24;
/**
 * One run looks up no more strangers, and no more of ours by their ids. Refunds leave room for disputes, and within a kind the
 * young leave half for the older ones, so that no flood of one hides another: 75 young refunds and 25 young disputes a run, or
 * about 250 and 80 a day, are all looked up at once. Young ones that are more take what the older ones leave, or wait for their
 * turn. Older ones whose turn has more than the room (from 1,000 refunds or 300 disputes on) are drawn by a place that moves on
 * from turn to turn: each comes to be drawn, in about twice as many runs as looking up all of them takes at the least. Where
 * strange refunds are more than about 300 a day, or disputes 100, a few may leave the window before that.
 */
const STRANGERS_MAX = 200;
const REFUNDS_MAX = (STRANGERS_MAX * 3) / 4;
const SINGLES_MAX = 500;

const KINDS = ['refund', 'dispute'] as const;
type Kind = (typeof KINDS)[number];

/** A walk through what was made: the list of refunds, that of disputes, then ours that were made before the window. */
const madeCursor = z.object({
  ...listPlaceShape,
  kind: z.enum(['refund', 'dispute', 'older']),
  /** PaymentIntents that our records do not have and that are still to be looked up. */
  strangers: z.array(z.string()),
  /** Those that are drawn from once the list has come to its end: the lowest places first. */
  waiting: z.array(z.object({ id: z.string(), place: z.number(), objects: z.number().int() })).default([]),
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

const CIRCLE = 2 ** 32;
/** The golden section of the circle: steps of this size come near every place in the fewest steps. */
const STEP = 0x9e3779b9;

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
  const none = { strangers: [], waiting: [], strangersLooked: 0, singlesLooked: 0 };
  const read = madeCursor.safeParse(cursor ?? { ...begin('refund'), ...none });
  // A run that an earlier version left: its list goes on where it was.
  let at: MadeCursor = read.success
    ? read.data
    : { ...begin('refund'), ...none, ...before.parse(cursor), ended: undefined, range: undefined };

  // Made since the last run's window ended, whenever that was.
  const lastEnd = Math.min(
    window.until.getTime() - REVERSALS_EVERY_MS,
    window.since.getTime() + REVERSALS_LOOK_BACK_MS,
  );
  const isYoung = ({ createdAt }: Stranger): boolean =>
    createdAt === undefined || createdAt.getTime() >= lastEnd - OVERLAP_MS;
  /** Where it stands among those that wait; undefined: this run leaves it alone. */
  const placeOf = (stranger: Stranger): number | undefined => {
    const hash = hashOf(stranger.paymentIntentId);
    if (hash % STRANGER_TURNS === turn % STRANGER_TURNS)
      return (hash + Math.floor(turn / STRANGER_TURNS) * STEP) % CIRCLE;
    return isYoung(stranger) ? CIRCLE : undefined;
  };

  const maxOf = (kind: Kind): number => (kind === 'refund' ? REFUNDS_MAX : STRANGERS_MAX);
  /** Young ones that are looked up at once: half of the kind's own share is left for those that wait. */
  function youngOnes(kind: Kind, strangers: readonly Stranger[]): string[] {
    const forOthers = (kind === 'refund' ? REFUNDS_MAX : STRANGERS_MAX - REFUNDS_MAX) / 2;
    const room = Math.max(0, maxOf(kind) - Math.ceil(forOthers) - at.strangersLooked);
    return [...new Set(strangers.filter(isYoung).map(({ paymentIntentId }) => paymentIntentId))].slice(0, room);
  }
  function waitingWith(strangers: readonly Stranger[]): MadeCursor['waiting'] {
    const waiting = new Map(at.waiting.map((one) => [one.id, one]));
    for (const stranger of strangers) {
      const { paymentIntentId: id, alone } = stranger;
      const known = waiting.get(id);
      const place = known?.place ?? placeOf(stranger);
      if (place !== undefined) waiting.set(id, { id, place, objects: (known?.objects ?? 0) + (alone ? 1 : 0) });
    }
    return [...waiting.values()].sort((one, other) => one.place - other.place).slice(0, STRANGERS_MAX);
  }

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
      const young = youngOnes(kind, strangers);
      const left = strangers.filter(({ paymentIntentId }) => !young.includes(paymentIntentId));
      const range = stepBehind(at, listed);
      at = {
        ...at,
        ...range,
        strangers: young,
        waiting: waitingWith(left),
        strangersLooked: at.strangersLooked + young.length,
      };
      yield asPage(
        { ...page, checked: page.checked - left.filter(({ alone }) => alone).length },
        { listed: listed.length, cursor: at, share: SHARES[kind] },
      );
      yield* lookUpStrangers();
      yield* unlisted(kind, range.range);
    }
    const drawn = at.waiting.slice(0, Math.max(0, maxOf(kind) - at.strangersLooked));
    if (drawn.length > 0) {
      const strangers = drawn.map(({ id }) => id);
      at = { ...at, strangers, waiting: [], strangersLooked: at.strangersLooked + drawn.length };
      // They were listed before and count as checked now.
      const checked = drawn.reduce((sum, { objects }) => sum + objects, 0);
      yield asPage({ ...NOTHING, checked }, { listed: 0, cursor: at, share: SHARES[kind] });
      yield* lookUpStrangers();
    }
    const range = restOfList(at, since);
    at = { ...at, waiting: [], range, ended: true };
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
