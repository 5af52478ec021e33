import type { Executor, MigrationSource } from '@bridge/database';
import type { EffectPlan } from '@bridge/effects';
import type { EventSource } from '@bridge/inbox';
import type { z } from 'zod';

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
}

/** What a flow decides about an event. `Write` is the flow's own: rows of its tables. */
export type Decision<Write> =
  | { kind: 'effect'; plan: EffectPlan }
  /** An effect that has not begun must not run any more by itself. */
  | { kind: 'park-unsent'; key: string; reasonCode: string; reason: string }
  | { kind: 'write'; write: Write }
  /** The event says nothing that this flow acts on. */
  | { kind: 'ignore'; reasonCode: string; reason: string }
  /** A person has to look at the event. No customer data in the reason. */
  | { kind: 'park'; reasonCode: string; reason: string };

/** What reconciliation saw: something at the peer that our records lack. */
export interface Finding {
  class: string;
  objectId: string;
  /** Minor units at risk. */
  amount: number;
  currency: string;
  message: string;
  /** The event that the missed webhook would have been; it goes the same road as all others. */
  replay: {
    eventId: string;
    eventType: string;
    object: Readonly<Record<string, unknown>>;
    livemode: boolean;
    createdAt: Date;
  };
}

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
     * tables, to spare a peer a question whose answer stands there for good; nothing is locked.
     */
    gather(event: FlowEvent, context: { settings: Settings; peers: Peers; records: Executor }): Promise<Gathered>;
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
  };
  /** The recovery path: compares the peer with our records for what was born in the window. Pages; never holds it all. */
  reconcile(
    window: { since: Date; until: Date },
    context: { settings: Settings; peers: Peers; executor: Executor },
  ): AsyncIterable<Finding>;
}

/** What an event led to inside the transaction. */
export interface FlowEnding {
  ignored?: { reasonCode: string; reason: string };
  parked?: { reasonCode: string; reason: string };
  plans: EffectPlan[];
  unsent: { key: string; reasonCode: string; reason: string }[];
}

/** A flow with its inner types closed over; only what it needs from the outside is left open. */
export interface Flow<Peers> {
  readonly name: string;
  readonly title: string;
  readonly wants: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
  readonly migrations: MigrationSource;
  bind(settings: unknown, peers: Peers): BoundFlow;
}

export interface BoundFlow {
  readonly name: string;
  readonly wants: readonly string[];
  /** First the peers are asked; what comes back is run inside the transaction. */
  prepare(event: FlowEvent, records: Executor): Promise<(tx: Executor, now: Date) => Promise<FlowEnding>>;
  reconcile(window: { since: Date; until: Date }, executor: Executor): AsyncIterable<Finding>;
}

export function defineFlow<Settings, Peers, Gathered, State, Write>(
  definition: FlowDefinition<Settings, Peers, Gathered, State, Write>,
): Flow<Peers> {
  const { name, title, wants, facts, migrations, onEvent } = definition;
  return {
    name,
    title,
    wants,
    facts,
    migrations,
    bind: (rawSettings, peers) => {
      const settings = definition.settings.parse(rawSettings);
      return {
        name,
        wants,
        prepare: async (event, records) => {
          const gathered = await onEvent.gather(event, { settings, peers, records });
          return async (tx, now) => {
            const state = await onEvent.load(tx, gathered, event);
            const ending: FlowEnding = { plans: [], unsent: [] };
            for (const decision of onEvent.decide({ event, gathered, state, settings, peers, now })) {
              if (decision.kind === 'effect') ending.plans.push(decision.plan);
              else if (decision.kind === 'park-unsent') ending.unsent.push(decision);
              else if (decision.kind === 'write') await onEvent.write(tx, decision.write);
              else if (decision.kind === 'ignore') ending.ignored = decision;
              else ending.parked = decision;
            }
            return ending;
          };
        },
        reconcile: (window, executor) => definition.reconcile(window, { settings, peers, executor }),
      };
    },
  };
}
