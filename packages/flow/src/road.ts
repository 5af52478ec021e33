import type { Database, Executor, Transaction } from '@bridge/database';
import { type EffectPlan, type EffectStore, refreezeEffect } from '@bridge/effects';
import { type ClaimedEvent, EventClaimLostError, type EventSource, type Finish, type Inbox } from '@bridge/inbox';
import type { BoundFlow, EventOrder, FlowDecision, FlowEnding, FlowEvent } from './define-flow';
import { readEventObject } from './event-body';
import { isAsShown, type ShownPlan } from './plan-digest';

/** What a failed question to a peer means for the event that asked it. */
export type PeerFailure =
  /** The peer is away or busy: costs no start. */
  | { kind: 'wait'; afterMs: number; code: string; message: string }
  /** The question itself was refused and would be again. */
  | { kind: 'park'; code: string; message: string };

/** How an event's turn ended. */
export type RoadEnding =
  /** Effects that want a job: the planned ones to run, the parked ones to stand on the board as failed. */
  | { kind: 'processed'; planned: PlannedEffect[]; parked: PlannedEffect[] }
  | { kind: 'ignored'; reasonCode: string }
  | { kind: 'parked'; reasonCode: string; reason: string }
  | { kind: 'waiting'; afterMs: number; code: string }
  | { kind: 'nothing'; because: string; dueInMs?: number };

/** How an effect begins: by being sent, with a question to the peer, or with a question and no more. */
export type Caution = 'none' | 'ask-first' | 'ask-only';

/** An effect that was planned and wants a job, unless it is performed at once. */
export interface PlannedEffect {
  id: string;
  run: number;
}

/** `worker` is the id of the registration whose heartbeat the claims hang on. */
export interface RoadOptions {
  database: Database;
  inbox: Inbox;
  effects: EffectStore;
  worker: string;
  flows: readonly BoundFlow[];
  /** Turns what a peer's client threw into what to do; undefined: an error of ours, it costs a start. */
  judgeFailure(error: unknown, event: Pick<ClaimedEvent, 'eventId'>): Promise<PeerFailure | undefined>;
  /** MODE=observe: effects are recorded and performed by nobody; should they ever run, they begin with a question. */
  observe: boolean;
  /**
   * How careful to be with an effect, by when its money moved, as far as is known. `ask-first`: it may have happened before.
   * `ask-only`: it may never be sent by itself, because the money is an older handler's.
   */
  caution?(movedAt: Date, source: EventSource): Caution;
  /**
   * The order that goes with an operator's event; undefined: none does; `gone`: one did, and it is not there any more. Asked
   * for no event of any other source.
   */
  orderOf?(executor: Executor, eventId: string): Promise<OrderedEvent | 'gone' | undefined>;
  now?: () => Date;
  onTurn?: (turn: {
    event: Pick<ClaimedEvent, 'id' | 'eventId' | 'eventType' | 'source' | 'starts'> | undefined;
    ending: RoadEnding;
    durationMs: number;
  }) => void;
}

/** What a person ordered, having seen what would happen. */
export interface OrderedEvent {
  order: EventOrder;
  /** The effects that were shown; anything else is not stored. */
  shown: readonly ShownPlan[];
}

/** What the event leads to now is not what the person saw. Whatever was done in the same transaction is undone. */
class ChangedSinceError extends Error {}

/** Without its order nobody knows what the person was shown, nor which invoice they gave. */
const ORDER_GONE = {
  reasonCode: 'REPLAY_ORDER_GONE',
  reason: 'The replay that ordered this event is not there any more, so that nothing says what was to be sent',
} as const;

const CHANGED_SINCE = {
  reasonCode: 'CHANGED_SINCE',
  reason: 'What would be sent now is not what was shown when the replay was ordered',
} as const;

/** The one way from an inbox row to planned effects. */
export interface Road {
  /** One event's way: claim, ask the peers, then flow tables, planned effects and the row's end in one transaction. */
  turn(inboxId: string): Promise<RoadEnding>;
  inHand(): string[];
}

/** An error of ours: wait so long times the number of starts, so that eight starts span minutes. */
const RETRY_STEP_MS = 2_000;

/**
 * Nothing but what was shown is stored, and the very bytes that were shown. What was settled in the meantime (the webhook
 * came after all) is no change: there is nothing to store then.
 */
function keepToOrder(
  endings: readonly FlowEnding[],
  { order, shown }: OrderedEvent,
  volatile: readonly string[],
): void {
  const settled = endings.every((ending) => ending.ignored !== undefined);
  const parked = endings.some((ending) => ending.parked !== undefined);
  const plans = endings.flatMap((ending) => ending.plans);
  const refused = endings.some((ending) => ending.ignored?.refusesOrder === true);
  if (parked || refused || (!settled && !isAsShown(plans, shown, volatile)))
    throw new ChangedSinceError(CHANGED_SINCE.reason);
  const bodies = new Map(shown.map(({ key, body }) => [key, body]));
  const asShown = (plan: EffectPlan): EffectPlan => ({
    ...plan,
    body: bodies.get(plan.key) ?? plan.body,
    subject: { ...plan.subject, replayPlan: order.plan },
  });
  for (const ending of endings) ending.plans = ending.plans.map(asShown);
}

/** How the row ends: parked if any flow says so, ignored if all do. */
function finishOf(endings: readonly FlowEnding[]): Finish {
  const parked = endings.find((ending) => ending.parked !== undefined)?.parked;
  if (parked !== undefined) return { state: 'parked', reasonCode: parked.reasonCode, reason: parked.reason };
  const ignored = endings.every((ending) => ending.ignored !== undefined) ? endings[0]?.ignored : undefined;
  if (ignored === undefined) return { state: 'processed' };
  return { state: 'ignored', reasonCode: ignored.reasonCode, reason: ignored.reason };
}

/** Joins inbox, flows and effects. Starts nothing by itself: whoever has a job for an event calls `turn`. */
export function createRoad(options: RoadOptions): Road {
  const { database, inbox, effects, worker } = options;
  const now = options.now ?? (() => new Date());

  async function travel(event: ClaimedEvent): Promise<RoadEnding> {
    const close = async (finish: Finish): Promise<void> => inbox.finish(database.executor, event, finish);
    if (event.account !== null) {
      const parked = {
        reasonCode: 'CONNECTED_ACCOUNT',
        reason: 'The event belongs to a connected account; this bridge serves one Stripe account',
      };
      await close({ state: 'parked', ...parked });
      return { kind: 'parked', ...parked };
    }
    const object = readEventObject(event.body);
    if (object === undefined) {
      const parked = { reasonCode: 'BODY_UNREADABLE', reason: 'The stored body is not a Stripe event' };
      await close({ state: 'parked', ...parked });
      return { kind: 'parked', ...parked };
    }
    const flows = options.flows.filter((flow) => flow.wants.includes(event.eventType));
    if (flows.length === 0) {
      await close({ state: 'ignored', reasonCode: 'UNWANTED_TYPE', reason: 'No flow that is on wants this type' });
      return { kind: 'ignored', reasonCode: 'UNWANTED_TYPE' };
    }
    const ordered = event.source === 'operator' ? await options.orderOf?.(database.executor, event.eventId) : undefined;
    if (ordered === 'gone') {
      // Not parked: nothing that a person could mend would ever bring the order back.
      await close({ state: 'ignored', ...ORDER_GONE });
      return { kind: 'ignored', reasonCode: ORDER_GONE.reasonCode };
    }
    const flowEvent: FlowEvent = {
      inboxId: event.id,
      eventId: event.eventId,
      type: event.eventType,
      source: event.source,
      livemode: event.livemode,
      apiVersion: event.apiVersion,
      createdAt: event.eventCreatedAt,
      receivedAt: event.receivedAt,
      object,
      ...(ordered === undefined ? {} : { order: ordered.order }),
    };
    const prepared = await Promise.all(flows.map((flow) => flow.prepare(flowEvent, database.executor)));
    const volatile = flows.flatMap((flow) => flow.replay?.volatile ?? []);
    const storePlans = async (tx: Transaction, endings: readonly FlowEnding[]) => {
      const planned: PlannedEffect[] = [];
      const waiting: PlannedEffect[] = [];
      for (const ending of endings) {
        for (const { key, reasonCode, reason } of ending.unsent) {
          waiting.push(...(await effects.parkUnsent(tx, key, reasonCode, reason)));
        }
        for (const plan of ending.plans) {
          if (plan.replaces !== undefined) {
            const frozen = await refreezeEffect(tx, { ...plan, replaces: plan.replaces });
            if (frozen === undefined) throw new ChangedSinceError(CHANGED_SINCE.reason);
            (plan.parked === undefined ? planned : waiting).push(frozen);
            continue;
          }
          const movedAt = plan.subject.occurredAt;
          const caution = options.caution?.(
            movedAt === undefined ? (event.eventCreatedAt ?? now()) : new Date(movedAt),
            event.source,
          );
          const stored = await effects.plan(tx, {
            ...plan,
            checkFirst: plan.checkFirst || options.observe || (caution !== undefined && caution !== 'none'),
            askOnly: caution === 'ask-only',
          });
          if (stored.planned) (plan.parked === undefined ? planned : waiting).push({ id: stored.id, run: 0 });
        }
      }
      return { planned, parked: waiting };
    };
    const decide = async (tx: Transaction): Promise<RoadEnding> => {
      const decisions: FlowDecision[] = [];
      for (const commit of prepared) decisions.push(await commit(tx, now()));
      if (ordered !== undefined) keepToOrder(decisions, ordered, volatile);
      const finish = finishOf(decisions);
      // None of these needs another's answer: they go out together and run in this order.
      const written = Promise.all(decisions.map((decision) => decision.write()));
      const [stored] = await Promise.all([storePlans(tx, decisions), inbox.finish(tx, event, finish), written]);
      if (finish.state === 'processed') return { kind: 'processed', ...stored };
      const { reasonCode, reason } = finish;
      return finish.state === 'parked' ? { kind: 'parked', reasonCode, reason } : { kind: 'ignored', reasonCode };
    };
    return database.transaction(decide).catch(async (error: unknown) => {
      if (!(error instanceof ChangedSinceError)) throw error;
      await close({ state: 'ignored', ...CHANGED_SINCE });
      return { kind: 'ignored', reasonCode: CHANGED_SINCE.reasonCode };
    });
  }

  async function turn(inboxId: string): Promise<{ event?: ClaimedEvent; ending: RoadEnding }> {
    const claim = await inbox.claim(inboxId, worker);
    if (claim.kind === 'parked')
      return { ending: { kind: 'parked', reasonCode: claim.reasonCode, reason: claim.reason } };
    if (claim.kind === 'nothing') {
      return {
        ending: {
          kind: 'nothing',
          because: claim.because,
          ...(claim.dueInMs === undefined ? {} : { dueInMs: claim.dueInMs }),
        },
      };
    }
    const { event } = claim;
    try {
      return { event, ending: await travel(event) };
    } catch (error) {
      if (error instanceof EventClaimLostError)
        return { event, ending: { kind: 'nothing', because: 'the claim was lost' } };
      const failure = await options.judgeFailure(error, event);
      if (failure?.kind === 'park') {
        await inbox.finish(database.executor, event, {
          state: 'parked',
          reasonCode: failure.code,
          reason: failure.message,
        });
        return { event, ending: { kind: 'parked', reasonCode: failure.code, reason: failure.message } };
      }
      if (failure?.kind === 'wait') {
        await inbox.release(event, {
          afterMs: failure.afterMs,
          costs: false,
          reasonCode: failure.code,
          reason: failure.message,
        });
        return { event, ending: { kind: 'waiting', afterMs: failure.afterMs, code: failure.code } };
      }
      await inbox.release(event, {
        afterMs: RETRY_STEP_MS * event.starts,
        costs: true,
        reasonCode: 'PROCESSING_FAILED',
        reason: error instanceof Error ? error.name : 'unknown error',
      });
      throw error;
    }
  }

  const inHand = new Map<string, number>();
  const count = (id: string, by: 1 | -1): void => {
    const turns = (inHand.get(id) ?? 0) + by;
    if (turns === 0) inHand.delete(id);
    else inHand.set(id, turns);
  };
  return {
    inHand: () => [...inHand.keys()],
    turn: async (inboxId) => {
      const began = performance.now();
      count(inboxId, 1);
      try {
        const { event, ending } = await turn(inboxId);
        options.onTurn?.({ event, ending, durationMs: performance.now() - began });
        return ending;
      } finally {
        count(inboxId, -1);
      }
    },
  };
}
