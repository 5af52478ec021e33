import type { Executor, MigrationSource } from '@bridge/database';
import type { EffectPlan } from '@bridge/effects';
import type { EventSource } from '@bridge/inbox';
import type { z } from 'zod';
import type { FlowRecords } from './flow-records';
import { type BoundPass, bindPass, type PassInfo, type ReconcilePass } from './reconcile-pass';
import { type BoundReplay, bindReplay, type ReplayHalf } from './replay-half';

/** An inbox row as flows see it. The object in it may be old: flows read the current one at the peer. */
export interface FlowEvent {
  inboxId: string;
  eventId: string;
  type: string;
  source: EventSource;
  livemode: boolean;
  apiVersion: string | null;
  createdAt: Date | null;
  receivedAt: Date;
  /** `data.object` as it came, in any API shape. */
  object: Readonly<Record<string, unknown>>;
  /** A person's order that goes with it. A webhook can never bring one: it stands in a table that only operators' work writes. */
  order?: EventOrder;
}

/** What a person said when an event was replayed. */
export interface EventOrder {
  /** The plan it belongs to. What comes of it goes without notices to anybody. */
  plan: string;
  /** The invoice that the money is for, since the object names none. */
  invoice?: string;
  /** The given invoice counts although the object names another, or another payment has settled it. */
  override?: boolean;
  /** A reason was given: what our records hold may be corrected. */
  reasoned?: boolean;
  /** The peer was put right by hand: only our records follow, and nothing is sent. */
  byHand?: boolean;
}

export interface Ignored {
  reasonCode: string;
  reason: string;
  /** What the person ordered cannot be done, whatever else stands. */
  refusesOrder?: true;
}

/** What a flow decides about an event. `Write` is the flow's own: rows of its tables. */
export type Decision<Write> =
  | { kind: 'effect'; plan: EffectPlan }
  /** An effect that has not begun must not run any more by itself. */
  | { kind: 'park-unsent'; key: string; reasonCode: string; reason: string }
  | { kind: 'write'; write: Write }
  /** The event says nothing that this flow acts on. */
  | ({ kind: 'ignore' } & Ignored)
  /** By a person's word only our records change: it was done at the peer by hand. */
  | { kind: 'by-hand'; reasonCode: string; reason: string }
  /** A person has to look at the event. No customer data in the reason. */
  | { kind: 'park'; reasonCode: string; reason: string };

/**
 * A flow: which events it wants, what they mean, and how what was missed is found again. The type demands both halves;
 * a flow without a recovery path would lose money silently.
 */
export interface FlowDefinition<Settings, Peers, Gathered, State, Write> {
  /** Lower case; also the key of its settings in the configuration. */
  name: string;
  /** For people. */
  title: string;
  /** Event types it acts on; the webhook endpoint at Stripe should send exactly these. */
  wants: readonly string[];
  settings: z.ZodType<Settings>;
  /** Each fact that may lead to an effect, with a sentence for people. */
  facts: Readonly<Record<string, string>>;
  migrations: MigrationSource;
  /** The fast path. */
  onEvent: {
    /**
     * Asks the peers; no transaction is open. Throws the peers' own errors. `records` is for reading the flow's own
     * tables, to spare a peer a question whose answer stands there for good; nothing is locked. `afresh`: no question is
     * spared, since what the tables hold is to be compared with what the peer says now.
     */
    gather(
      event: FlowEvent,
      context: { settings: Settings; peers: Peers; records: Executor; afresh?: boolean },
    ): Promise<Gathered>;
    /** Reads the flow's tables inside the transaction, locking what the decision depends on. */
    load(tx: Executor, gathered: Gathered, event: FlowEvent): Promise<State>;
    /** Pure. */
    decide(input: {
      event: FlowEvent;
      gathered: Gathered;
      state: State;
      settings: Settings;
      peers: Peers;
      now: Date;
    }): Decision<Write>[];
    write(tx: Executor, write: Write): Promise<void>;
    /** Pure, for previews: the state had this event's object never been seen. */
    afresh?(state: State): State;
    /** Pure, for previews. */
    about?(gathered: Gathered): PreviewSubject | undefined;
  };
  /** How a person's words become events again; a flow without it cannot be replayed. */
  replay?: ReplayHalf<Settings, Peers>;
  /** The recovery path: each pass compares the peers with our records in its own rhythm and reach. */
  reconcile: { passes: readonly ReconcilePass<Settings, Peers>[] };
  /** What it has written down, for `prove`, the closing of the day and the report. */
  records: FlowRecords;
}

/** What an event led to inside the transaction. */
export interface FlowEnding {
  ignored?: Ignored;
  byHand?: { reasonCode: string; reason: string };
  parked?: { reasonCode: string; reason: string };
  plans: EffectPlan[];
  unsent: { key: string; reasonCode: string; reason: string }[];
}

/** A decision, and what writes it down. */
export interface FlowDecision extends FlowEnding {
  /** Writes what was decided into the flow's own tables, in the transaction that it was decided in. Called once at most. */
  write(): Promise<void>;
}

/** What an event would lead to now. */
export interface FlowPreview extends FlowEnding {
  /** What it would lead to had nothing been recorded about its object: today's bytes, to compare with those of before. */
  afresh: FlowEnding;
  about: PreviewSubject | undefined;
}

/** What a preview can tell of an event's object, also where no effect comes of it. */
export interface PreviewSubject {
  /** The invoice that it names by itself, whatever a person has given. */
  namedInvoice: string | undefined;
  /** Minor units. */
  amount: number;
  currency: string;
  /** Whether the money has moved, and when. */
  moved: boolean;
  occurredAt: Date | undefined;
}

/** A flow with its inner types closed over; only what it needs from the outside is left open. */
export interface Flow<Peers> {
  readonly name: string;
  readonly title: string;
  readonly wants: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
  readonly migrations: MigrationSource;
  /** The recovery path's passes, for schedules and commands. */
  readonly passes: readonly PassInfo[];
  readonly records: FlowRecords;
  bind(settings: unknown, peers: Peers): BoundFlow;
}

/** A flow joined with its settings and peers: what the road and the recovery path call. */
export interface BoundFlow {
  readonly name: string;
  readonly wants: readonly string[];
  /** First the peers are asked; what comes back is run inside the transaction. */
  prepare(event: FlowEvent, records: Executor): Promise<(tx: Executor, now: Date) => Promise<FlowDecision>>;
  /**
   * Decides like `prepare` and writes nothing: what it locks and inserts inside the transaction is taken back before it
   * returns. The transaction must be open.
   */
  preview(event: FlowEvent, records: Executor): Promise<(tx: Executor, now: Date) => Promise<FlowPreview>>;
  readonly replay: BoundReplay | undefined;
  readonly passes: readonly BoundPass[];
}

function endingOf<Write>(decisions: readonly Decision<Write>[]): { ending: FlowEnding; writes: Write[] } {
  const ending: FlowEnding = { plans: [], unsent: [] };
  const writes: Write[] = [];
  for (const decision of decisions) {
    if (decision.kind === 'effect') ending.plans.push(decision.plan);
    else if (decision.kind === 'park-unsent') ending.unsent.push(decision);
    else if (decision.kind === 'write') writes.push(decision.write);
    else if (decision.kind === 'ignore') ending.ignored = decision;
    else if (decision.kind === 'by-hand') ending.byHand = decision;
    else ending.parked = decision;
  }
  return { ending, writes };
}

/** Runs `work` and takes back what it did to tables and locks, whether the caller commits or not. */
async function takenBack<T>(tx: Executor, work: () => Promise<T>): Promise<T> {
  await tx.$client.query('savepoint preview');
  try {
    return await work();
  } finally {
    await tx.$client.query('rollback to savepoint preview');
    await tx.$client.query('release savepoint preview');
  }
}

/**
 * Names a flow once, for its types and for everything that is derived from the list of flows: configuration, doctor,
 * arguments, schedules, metrics.
 */
export function defineFlow<Settings, Peers, Gathered, State, Write>(
  definition: FlowDefinition<Settings, Peers, Gathered, State, Write>,
): Flow<Peers> {
  const { name, title, wants, facts, migrations, onEvent, reconcile, records } = definition;
  return {
    name,
    title,
    wants,
    facts,
    migrations,
    passes: reconcile.passes,
    records,
    bind: (rawSettings, peers) => {
      const settings = definition.settings.parse(rawSettings);
      return {
        name,
        wants,
        prepare: async (event, records) => {
          const gathered = await onEvent.gather(event, { settings, peers, records });
          return async (tx, now) => {
            const state = await onEvent.load(tx, gathered, event);
            const decisions = onEvent.decide({ event, gathered, state, settings, peers, now });
            const { ending, writes } = endingOf(decisions);
            // Asked for in their order; none waits for the answer of the one before.
            const write = async (): Promise<void> => {
              await Promise.all(writes.map((one) => onEvent.write(tx, one)));
            };
            return { ...ending, write };
          };
        },
        preview: async (event, records) => {
          const gathered = await onEvent.gather(event, { settings, peers, records, afresh: true });
          return (tx, now) =>
            takenBack(tx, async () => {
              const input = { event, gathered, settings, peers, now, state: await onEvent.load(tx, gathered, event) };
              const { ending } = endingOf(onEvent.decide(input));
              const state = onEvent.afresh?.(input.state) ?? input.state;
              const afresh = endingOf(onEvent.decide({ ...input, state })).ending;
              return { ...ending, afresh, about: onEvent.about?.(gathered) };
            });
        },
        replay: definition.replay && bindReplay(definition.replay, { settings, peers }),
        passes: reconcile.passes.map((pass) => bindPass(pass, { settings, peers })),
      };
    },
  };
}
