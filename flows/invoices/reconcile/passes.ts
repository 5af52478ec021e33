import type { Finding, ReconcileContext, ReconcilePage, ReconcilePass, ReconcileWindow } from '@bridge/flow';
import { z } from 'zod';
import type { InvoicesPeers, InvoicesRecovery, SessionSnapshot } from '../ports';
import type { InvoicesSettings } from '../settings';
import { CLASSES, LEAVE_TO_OTHERS_MS } from './books';
import { compareMadePage } from './compare-made';
import { type ComparedPage, comparePage, type FileMakerReach, type PageContext, unfoldListed } from './compare-page';
import { notAtStripe } from './compare-session';
import { type Place, readPayments, readPending, readSessionsOf, readUnlisted } from './read-recorded';

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
/** Of ours that are retrieved one by one, between two places to go on from. */
const SINGLE_PAGE = 20;
/** One run asks Stripe about no more; the others have their turn in later runs, and the other passes see them too. */
const PENDING_PAGES_MAX = 25;
/** Findings of before that one run of the clock looks at again, by their objects' ids. */
const OPEN_MAX = 100;
/** Sessions of one second that are remembered from page to page. */
const EDGE_MAX = 2_000;

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

const asPage = (
  { checked, unasked, findings, compared }: ComparedPage,
  rest: { listed: number; cursor: unknown; share: number },
): ReconcilePage => ({ checked, unasked, findings, compared, ...rest });

/** Sessions of ours, asked for by their ids: those that Stripe does not know are findings, the others are compared. */
async function compareSingly(places: readonly Pick<Place, 'id'>[], context: PageContext): Promise<ComparedPage> {
  const snapshots: SessionSnapshot[] = [];
  const unknown: string[] = [];
  for (const { id } of places) {
    const snapshot = await context.recovery.findSession(id);
    if (snapshot === undefined) unknown.push(id);
    else snapshots.push(snapshot);
  }
  const page = await comparePage(snapshots, context);
  const payments = await readPayments(context.executor, unknown);
  const missing: Finding[] = [...payments.values()].map(notAtStripe);
  return {
    ...page,
    checked: page.checked + unknown.length,
    findings: [...page.findings, ...missing],
    // A Session that Stripe does not know can be compared with nothing else.
    compared: [...page.compared, { objectIds: unknown, classes: CLASSES }],
  };
}

const place = z.object({ bornAt: z.string(), id: z.string() });

/** Our payments that wait for their money, by id: their announcement may have been lost. */
async function* comparePending(window: ReconcileWindow, context: PassContext): AsyncIterable<ReconcilePage> {
  let behind: Place | undefined = place.optional().parse(context.cursor ?? undefined);
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

/** Seconds since 1970, as Stripe counts them. */
const secondsOf = (date: Date): number => Math.floor(date.getTime() / 1_000);
const dateOf = (seconds: number): Date => new Date(seconds * 1_000);

/** Which of our payments a page of Stripe's list should have named, and which it did name. */
const rangeSchema = z.object({
  /** Seconds, not included. */
  after: z.number().int(),
  /** Seconds, included. */
  upTo: z.number().int(),
  named: z.array(z.string()),
  behind: place.optional(),
});
type Range = z.output<typeof rangeSchema>;

const listCursor = z.object({
  /** The last Session that was listed. */
  olderThan: z.string().optional(),
  /** The second in which it was born; everything younger was listed. */
  born: z.number().int(),
  /** Sessions born in that second that were listed already. */
  edge: z.array(z.string()),
  /** Ours that are still to be looked for. */
  range: rangeSchema.optional(),
  /** The list has come to its end. */
  ended: z.boolean().optional(),
  /** Objects of older findings that are still to be looked at. */
  open: z.array(z.string()).optional(),
});
type ListCursor = z.output<typeof listCursor>;

const bornAt = (snapshot: SessionSnapshot): number | undefined => {
  const { session } = snapshot;
  if (typeof session !== 'object' || session === null) return undefined;
  const created: unknown = Reflect.get(session, 'created');
  return typeof created === 'number' && Number.isSafeInteger(created) ? created : undefined;
};
const idOf = (snapshot: SessionSnapshot): string | undefined => {
  const { session } = snapshot;
  const id: unknown = typeof session === 'object' && session !== null ? Reflect.get(session, 'id') : undefined;
  return typeof id === 'string' ? id : undefined;
};

/** Where the list goes on behind a page, and which of ours it should have named. */
function stepBehind(before: ListCursor, snapshots: readonly SessionSnapshot[]): ListCursor {
  const ids = snapshots.flatMap((snapshot) => idOf(snapshot) ?? []);
  const born = Math.min(before.born, ...snapshots.flatMap((snapshot) => bornAt(snapshot) ?? []));
  const atEdge = snapshots.filter((snapshot) => bornAt(snapshot) === born).flatMap((snapshot) => idOf(snapshot) ?? []);
  const edge = [...(born === before.born ? before.edge : []), ...atEdge].slice(-EDGE_MAX);
  return {
    olderThan: ids.at(-1) ?? before.olderThan,
    born,
    edge,
    range: { after: born, upTo: before.born, named: [...before.edge, ...ids] },
  };
}

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

    async function* unlisted(range: Range): AsyncIterable<ReconcilePage> {
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
        at = stepBehind(at, snapshots);
        yield asPage(compared, { listed: snapshots.length, cursor: at, share: share() });
        if (at.range !== undefined) yield* unlisted(at.range);
      }
      const rest: Range = { after: since - 1, upTo: at.born, named: at.edge };
      at = { ...at, range: rest, ended: true };
      yield* unlisted(rest);
    }
    if (reach !== 'all' || context.openObjects === undefined) return;
    let open = at.open ?? (await context.openObjects(OPEN_MAX));
    while (open.length > 0) {
      const sessions = await readSessionsOf(context.executor, open.slice(0, SINGLE_PAGE));
      open = open.slice(SINGLE_PAGE);
      at = { ...at, range: undefined, open: [...open] };
      const compared = await compareSingly(
        sessions.map((id) => ({ id })),
        pageContext(context, reach),
      );
      yield asPage(compared, { listed: sessions.length, cursor: at, share: 1 });
    }
  };
}

const madeCursor = z.object({ kind: z.enum(['refund', 'dispute']), olderThan: z.string().optional() });

/** Refunds, then disputes, by when they were made: what befalls an old payment no list of Sessions shows. */
async function* compareMade(window: ReconcileWindow, context: PassContext): AsyncIterable<ReconcilePage> {
  const recovery = recoveryOf(context.peers);
  const at = madeCursor.optional().parse(context.cursor ?? undefined) ?? { kind: 'refund', olderThan: undefined };
  const kinds = at.kind === 'refund' ? (['refund', 'dispute'] as const) : (['dispute'] as const);
  for (const kind of kinds) {
    const olderThan = kind === at.kind ? at.olderThan : undefined;
    for await (const listed of recovery.listReversals(kind, { ...window, olderThan })) {
      const { last, ...page } = await compareMadePage(kind, listed, pageContext(context, 'suspects'));
      yield asPage(page, {
        listed: listed.length,
        cursor: { kind, olderThan: last },
        share: kind === 'refund' ? 0.25 : 0.75,
      });
    }
  }
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
    schedule: { everyMs: 6 * HOUR_MS },
    lookBackMs: 15 * DAY_MS,
    run: compareMade,
  },
];
