import type { Executor } from '@bridge/database';

/** When a pass runs, if the configuration says nothing else: a period in ms, or five cron fields in `TIMEZONE`. */
export type PassSchedule = { everyMs: number } | { cron: string };

/**
 * What reconciliation saw where two books differ: Stripe's, our records, FileMaker's. The three values are short words of
 * that book for the same thing ("paid", "7,380.00 USD", "18637"); null: that book says nothing about it, or was not asked.
 */
export interface Finding {
  /** The kind of difference; there is at most one open finding of a class for one object. */
  class: string;
  /** The object's id at Stripe. */
  objectId: string;
  stripeValue: string | null;
  recordedValue: string | null;
  filemakerValue: string | null;
  /** Minor units of `currency` at risk; 0 when no money hangs on it. */
  amount: number;
  currency: string;
  /** For people. No customer data. */
  message: string;
  /** The event that the missed webhook would have been; it goes the same road as all others. Null: a person decides. */
  replay: FindingReplay | null;
  /** Money from before `recoverFrom`: told, and never acted on by itself. */
  beforeStart?: boolean;
}

/** The event that would bring what a finding missed; it enters the inbox under `eventId`. */
export interface FindingReplay {
  eventId: string;
  eventType: string;
  object: Readonly<Record<string, unknown>>;
  livemode: boolean;
  createdAt: Date;
}

/** What a pass looked at between two places at which it can go on. */
export interface ReconcilePage {
  /** Objects that the source named on this page. */
  listed: number;
  /** Of those, the ones that were compared. The rest was left alone for now: too young, or an event about it is in hand. */
  checked: number;
  /** Of those compared, the ones whose FileMaker side could not be asked: about that side nothing is said. */
  unasked: number;
  /** JSON: the next run of this pass goes on behind this page when it is given this. */
  cursor: unknown;
  findings: readonly Finding[];
  /** An open finding of one of these objects and classes that is not found again is closed. */
  compared: readonly Compared[];
  /** How far the window is through, 0 to 1; for a progress bar. */
  share: number;
}

/** Objects that were compared, and which differences the comparison could have seen. */
export interface Compared {
  objectIds: readonly string[];
  classes: readonly string[];
  /** A person has decided about these since: what is right now is right by that. */
  byPerson?: readonly string[];
}

/** A span of births at Stripe, by Stripe's clock. */
export interface ReconcileWindow {
  since: Date;
  /** Not included. */
  until: Date;
}

/** What a pass is given beside its window. */
export interface ReconcileContext {
  /** For reading the flow's own tables, outside any transaction. */
  executor: Executor;
  /** Undefined at the beginning, else what a page said. */
  cursor: unknown;
  /** Only money that succeeded at or after this time may be replayed. What is older is found, with `replay` null. */
  recoverFrom: Date;
  /** Nothing is performed on purpose: what waits to be told is no finding. */
  observing: boolean;
  /** Of these objects, the ones about which an event is still to be worked on: they are left alone. */
  inHand(objectIds: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Objects with open findings that this run has not seen, the longest unseen first: they have left every window, and
   * nobody else would ever notice that they are right by now. Absent: only what lies in the window is wanted.
   */
  openObjects?(limit: number): Promise<readonly string[]>;
}

/** One way to look for what was missed. It reads only; what to do about its findings is the worker's. */
export interface ReconcilePass<Settings, Peers> {
  /** Lower case; unique in its flow. */
  name: string;
  /** A sentence for people: what is compared. */
  title: string;
  schedule: PassSchedule;
  /** What a person's command runs; of a flow's passes one. */
  byHand?: boolean;
  /** The window reaches back at least so far; further, when the last finished run is longer ago. */
  lookBackMs: number;
  /** Ids of the objects of which it looks at all that came about in its window. Absent: its window says nothing of that. */
  sees?: RegExp;
  /**
   * Pages, never all at once; in an order that does not change while it runs. Throws the peers' own errors: the run then
   * goes on from the last page's cursor.
   */
  run(
    window: ReconcileWindow,
    context: ReconcileContext & { settings: Settings; peers: Peers },
  ): AsyncIterable<ReconcilePage>;
}

/** A pass as schedules and commands know it. */
export type PassInfo = Pick<
  ReconcilePass<never, never>,
  'name' | 'title' | 'schedule' | 'byHand' | 'lookBackMs' | 'sees'
>;

/**
 * A pass joined with its settings and peers. `run` yields page after page; each is stored before the next is asked
 * for.
 */
export interface BoundPass extends PassInfo {
  run(window: ReconcileWindow, context: ReconcileContext): AsyncIterable<ReconcilePage>;
}

export function bindPass<Settings, Peers>(
  pass: ReconcilePass<Settings, Peers>,
  bound: { settings: Settings; peers: Peers },
): BoundPass {
  return { ...pass, run: (window, context) => pass.run(window, { ...context, ...bound }) };
}
