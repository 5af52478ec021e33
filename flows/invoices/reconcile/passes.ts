import type { ReconcileContext, ReconcilePage, ReconcilePass, ReconcileWindow } from '@bridge/flow';
import { z } from 'zod';
import type { InvoicesPeers, InvoicesRecovery } from '../ports';
import type { InvoicesSettings } from '../settings';
import { LEAVE_TO_OTHERS_MS } from './books';
import { comparePage, type FileMakerReach, type PageContext, unfoldListed } from './compare-page';
import {
  asPage,
  compareReversalsSingly,
  compareSingly,
  type ReversalId,
  SINGLE_PAGE,
  together,
} from './compare-singly';
import {
  dateOf,
  type ListedRange,
  listPlaceShape,
  placeSchema,
  restOfList,
  secondsOf,
  stepBehind,
} from './listed-range';
import { compareMade, REVERSALS_EVERY_MS, REVERSALS_LOOK_BACK_MS } from './made-pass';
import { type Place, readOfOtherMode, readPending, readSessionsOf, readUnlisted } from './read-recorded';

type Pass = ReconcilePass<InvoicesSettings, InvoicesPeers>;
type PassContext = ReconcileContext & { settings: InvoicesSettings; peers: InvoicesPeers };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const PENDING_EVERY_MS = 5 * MINUTE_MS;
/**
 * A pending payment of a day is looked at once in so many looks, about once an hour; an older one about once in eight hours.
 * Primes: also where the configuration gives the pass another period, every payment has its turn.
 */
const PENDING_TURNS = 13;
const OLDER_TURNS = 97;
/** One run asks Stripe about no more; the others have their turn in later runs, and the other passes see them too. */
const PENDING_PAGES_MAX = 25;
/** Findings of before that one run of the clock looks at again, by their objects' ids. */
const OPEN_MAX = 100;

class RecoveryNotJoinedError extends Error {
  readonly code = 'RECOVERY_NOT_JOINED';
  constructor() {
    super('This process has not joined the questions of the recovery path with Stripe and FileMaker');
    this.name = 'RecoveryNotJoinedError';
  }
}

function recoveryOf(peers: InvoicesPeers): InvoicesRecovery {
  if (peers.recovery === undefined) throw new RecoveryNotJoinedError();
  return peers.recovery;
}

const pageContext = (context: PassContext, reach: FileMakerReach): PageContext => ({
  ...context,
  recovery: recoveryOf(context.peers),
  now: new Date(),
  reach,
});

/** Our payments that wait for their money, by id: their announcement may have been lost. */
async function* comparePending(window: ReconcileWindow, context: PassContext): AsyncIterable<ReconcilePage> {
  let behind: Place | undefined = placeSchema.optional().parse(context.cursor ?? undefined);
  const turn = Math.floor(window.until.getTime() / PENDING_EVERY_MS);
  const until = new Date(window.until.getTime() - MINUTE_MS);
  for (let pages = 0; pages < PENDING_PAGES_MAX; pages += 1) {
    const places = await readPending(context.executor, {
      until,
      turn,
      turns: PENDING_TURNS,
      olderTurns: OLDER_TURNS,
      behind,
      livemode: context.peers.livemode,
      limit: SINGLE_PAGE,
    });
    behind = places.at(-1);
    if (behind === undefined) return;
    const compared = await compareSingly(places, pageContext(context, 'suspects'));
    yield asPage(compared, { listed: places.length, cursor: behind, share: (pages + 1) / PENDING_PAGES_MAX });
    if (places.length < SINGLE_PAGE) return;
  }
}

const listCursor = z.object({
  ...listPlaceShape,
  /** Objects of older findings that are still to be looked at. */
  open: z.array(z.string()).optional(),
});
type ListCursor = z.output<typeof listCursor>;

/** Stripe's ids say what they are of: `re_`, `pyr_` and `dp_`, `du_`. */
const reversalOf = (id: string): ReversalId => ({ kind: /^d[pu]_/.test(id) ? 'dispute' : 'refund', id });

/**
 * Both ways: every Checkout Session of the window as Stripe lists it, a hundred in one question, and every payment of ours
 * from the same window that the list did not name. The thorough one also looks again at what was found before and lies in
 * no window any more: what a person has repaired since must not stay open for ever.
 */
function compareListed(reach: FileMakerReach): Pass['run'] {
  return async function* (window, context) {
    const { recovery } = pageContext(context, reach);
    const since = secondsOf(window.since);
    const until = secondsOf(window.until);
    let at: ListCursor = listCursor.optional().parse(context.cursor ?? undefined) ?? { born: until - 1, edge: [] };
    const share = (): number => Math.min(1, Math.max(0, (until - at.born) / Math.max(1, until - since)));

    async function* unlisted(range: ListedRange): AsyncIterable<ReconcilePage> {
      let { behind } = range;
      for (;;) {
        const places = await readUnlisted(context.executor, {
          after: dateOf(range.after),
          upTo: dateOf(range.upTo),
          named: range.named,
          behind,
          livemode: context.peers.livemode,
          limit: SINGLE_PAGE,
        });
        behind = places.at(-1);
        if (behind === undefined) return;
        at = { ...at, range: { ...range, behind } };
        const compared = await compareSingly(places, pageContext(context, reach));
        yield asPage(compared, { listed: places.length, cursor: at, share: share() });
        if (places.length < SINGLE_PAGE) return;
      }
    }

    if (at.range !== undefined) yield* unlisted(at.range);
    if (at.ended !== true) {
      for await (const listed of recovery.listSessions({ ...window, olderThan: at.olderThan })) {
        const snapshots = listed.map(unfoldListed);
        const compared = await comparePage(snapshots, pageContext(context, reach));
        at = { ...at, ...stepBehind(at, listed) };
        yield asPage(compared, { listed: snapshots.length, cursor: at, share: share() });
        if (at.range !== undefined) yield* unlisted(at.range);
      }
      const rest = restOfList(at, since);
      at = { ...at, range: rest, ended: true };
      yield* unlisted(rest);
    }
    if (reach !== 'all' || context.openObjects === undefined) return;
    let open = at.open ?? (await context.openObjects(OPEN_MAX));
    while (open.length > 0) {
      const next = open.slice(0, SINGLE_PAGE);
      const ofOtherMode = await readOfOtherMode(context.executor, next, context.peers.livemode);
      const objects = next.filter((id) => !ofOtherMode.has(id));
      const sessions = await readSessionsOf(context.executor, objects);
      const reversals = objects.filter((id) => !id.startsWith('cs_')).map(reversalOf);
      open = open.slice(SINGLE_PAGE);
      at = { ...at, range: undefined, open: [...open] };
      const ofSessions = await compareSingly(
        sessions.map((id) => ({ id })),
        pageContext(context, reach),
      );
      const ofReversals = await compareReversalsSingly(reversals, pageContext(context, reach));
      const listed = sessions.length + reversals.length;
      yield asPage(together(ofSessions, ofReversals), { listed, cursor: at, share: 1 });
    }
  };
}

/** The recovery path of invoices. The list of events has a pass of its own, which belongs to no flow. */
export const passes: readonly Pass[] = [
  {
    name: 'pending',
    title: 'Payments that wait for their money, by id',
    schedule: { everyMs: PENDING_EVERY_MS },
    lookBackMs: LEAVE_TO_OTHERS_MS,
    run: comparePending,
  },
  {
    name: 'recent',
    title: 'Checkout Sessions of the last 26 hours, at Stripe and in our records',
    schedule: { everyMs: HOUR_MS },
    // A Session lives 24 h at most before it is paid; two more for what was late.
    lookBackMs: 26 * HOUR_MS,
    sees: /^cs_/,
    run: compareListed('suspects'),
  },
  {
    name: 'nightly',
    title: 'Checkout Sessions of the last 15 days, at Stripe, in our records and in FileMaker',
    schedule: { cron: '17 3 * * *' },
    byHand: true,
    // A bank debit takes up to 14 days, and a Session lives for one before.
    lookBackMs: 15 * DAY_MS,
    run: compareListed('all'),
  },
  {
    name: 'reversals',
    title: 'Refunds and disputes of the last 15 days, however old their payments are',
    schedule: { everyMs: REVERSALS_EVERY_MS },
    lookBackMs: REVERSALS_LOOK_BACK_MS,
    sees: /^(re|pyr|dp|du)_/,
    run: (window, context) => compareMade(window, () => pageContext(context, 'suspects')),
  },
];
