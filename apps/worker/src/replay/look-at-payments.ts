import type { Database } from '@bridge/database';
import type { EffectPlan } from '@bridge/effects';
import {
  type BoundFlow,
  type EventOrder,
  type FlowEnding,
  type FlowEvent,
  type FlowPreview,
  type PeerFailure,
  planDigest,
} from '@bridge/flow';
import {
  differenceOfBodies,
  explainEffectRetries,
  type FrozenEffect,
  itemsToLook,
  judgeReplay,
  type LogWord,
  type ReplayLook,
  type ReplayPlan,
  type ReplayWork,
  readFrozenEffects,
  replayEventId,
  type StandingEffect,
  storeLooks,
} from '@bridge/operations';
import { hasProbe } from './ask-log';

export interface LookOptions {
  database: Database;
  flows: readonly BoundFlow[];
  /** Of those keys whose effects FileMaker's log may know. */
  askLog(questions: readonly { key: string; target: unknown }[]): Promise<ReadonlyMap<string, LogWord>>;
  /** As the road's: what a failed question to a peer means. */
  judgeFailure(error: unknown, about: string): Promise<PeerFailure | undefined>;
  /** Money from before is the older handler's; a person's command may still run it. */
  recoverFrom(): Date;
  hasTime(): boolean;
  /** Looks at an item that failed although Stripe answers others; kept by the caller between turns. */
  failures: Map<string, number>;
  stripeIsOpen(): Promise<boolean>;
}

/** One find at FileMaker, one write here. */
const PAYMENTS_PER_LOOK = 50;
/** Questions to Stripe at once: the budget of reads decides, this keeps the memory flat. */
const AT_ONCE = 8;

/** A payment that Stripe cannot serve, while it serves others, is told as such after so many looks: the others go on. */
const FAILURES_MAX = 5;
/** Stripe's trouble and not our haste. */
const OBJECT_IN_TROUBLE: ReadonlySet<string> = new Set([
  'STRIPE_UNAVAILABLE',
  'STRIPE_TIMEOUT',
  'STRIPE_ANSWER_UNREADABLE',
]);

/** A peer cannot be asked now; the look at this payment is put off. */
export class PeerAwayError extends Error {
  readonly code = 'PEER_AWAY';
  constructor(readonly wait: Extract<PeerFailure, { kind: 'wait' }>) {
    super(wait.message);
    this.name = 'PeerAwayError';
  }
}

type Previewed =
  | { item: ReplayWork; preview: FlowPreview; volatile: readonly string[] }
  | { look: ReplayLook }
  | { putOff: unknown };

const NOTHING_SEEN = {
  invoiceId: null,
  amount: null,
  currency: null,
  occurredAt: null,
  effectKey: null,
  effectId: null,
  restsOn: null,
  shown: [],
  difference: [],
} as const;

/** The order that goes with an item's event, at its preview as later on the road. */
export function orderOfPlan(planId: string, args: ReplayPlan['args']): EventOrder {
  return {
    plan: planId,
    ...(args.invoice === undefined ? {} : { invoice: args.invoice }),
    ...(args.override === true ? { override: true } : {}),
    ...(args.reasoned === true ? { reasoned: true } : {}),
    ...(args.byHand === true ? { byHand: true } : {}),
  };
}

const bothEndings = (one: FlowEnding, other: FlowEnding): FlowEnding => {
  const parked = one.parked ?? other.parked;
  // As on the road: ignored is what every flow ignores.
  const ignored = one.ignored !== undefined && other.ignored !== undefined ? one.ignored : undefined;
  const byHand = one.byHand ?? other.byHand;
  return {
    plans: [...one.plans, ...other.plans],
    unsent: [...one.unsent, ...other.unsent],
    ...(parked === undefined ? {} : { parked }),
    ...(ignored === undefined ? {} : { ignored }),
    ...(byHand === undefined ? {} : { byHand }),
  };
};

async function previewOf(item: ReplayWork, plan: ReplayPlan, options: LookOptions): Promise<Previewed> {
  const { database } = options;
  const flows = options.flows.filter((flow) => flow.wants.includes(item.eventType));
  const refused = (verdict: ReplayLook['verdict'], reasonCode: string, reason: string): Previewed => ({
    look: { itemId: item.id, verdict, acts: null, reasonCode, reason, ...NOTHING_SEEN },
  });
  if (flows.length === 0) return refused('refused', 'UNWANTED_TYPE', `No flow that is on wants ${item.eventType}`);
  const event: FlowEvent = {
    inboxId: '0',
    eventId: replayEventId(item),
    type: item.eventType,
    source: 'operator',
    livemode: item.livemode,
    apiVersion: null,
    createdAt: item.createdAt,
    receivedAt: new Date(),
    object: item.object,
    order: orderOfPlan(plan.id, plan.args),
  };
  try {
    const decided = await Promise.all(flows.map((flow) => flow.preview(event, database.executor)));
    const previews = await database.transaction(async (tx) => {
      const seen: FlowPreview[] = [];
      for (const decide of decided) seen.push(await decide(tx, new Date()));
      return seen;
    });
    // Only here: a decision that fails each time has to come to its end too.
    options.failures.delete(item.id);
    const preview = previews.reduce((one, other) => ({
      ...bothEndings(one, other),
      afresh: bothEndings(one.afresh, other.afresh),
      about: one.about ?? other.about,
    }));
    return { item, preview, volatile: flows.flatMap((flow) => flow.replay?.volatile ?? []) };
  } catch (error) {
    const failure = await options.judgeFailure(error, item.objectId);
    // A fault of ours about one payment must not hide the others.
    if (failure === undefined) {
      if (!isGivenUp(item, options)) return { putOff: error };
      return refused(
        'parked',
        'PREVIEW_FAILED',
        `It cannot be looked at: ${error instanceof Error ? error.name : 'unknown error'}`,
      );
    }
    if (failure.kind === 'wait') {
      // While Stripe is away altogether, or asks for patience, waiting costs nothing.
      const itsOwn = OBJECT_IN_TROUBLE.has(failure.code) && (await options.stripeIsOpen());
      if (!itsOwn || !isGivenUp(item, options)) return { putOff: new PeerAwayError(failure) };
      return refused('parked', failure.code, `Stripe cannot serve it: ${failure.message}`);
    }
    return failure.code === 'STRIPE_NOT_FOUND'
      ? refused('not-found', failure.code, 'Stripe does not know it')
      : refused('parked', failure.code, failure.message);
  }
}

function isGivenUp(item: ReplayWork, { failures }: LookOptions): boolean {
  const failed = (failures.get(item.id) ?? 0) + 1;
  failures.set(item.id, failed);
  if (failed < FAILURES_MAX) return false;
  failures.delete(item.id);
  return true;
}

/** Several at once, in order; the first failure ends it, once those under way have ended. */
async function atOnce<In, Out>(inputs: readonly In[], work: (input: In) => Promise<Out>): Promise<Out[]> {
  const results = new Map<number, Out>();
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < inputs.length && !failed) {
      const at = next;
      next += 1;
      try {
        results.set(at, await work(inputs[at] as In));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, inputs.length) }, lane));
  const broken = lanes.find((one) => one.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}

/** What the event means, whether or not it was recorded before. */
const meaningOf = ({ plans, afresh }: FlowPreview): EffectPlan | undefined => plans[0] ?? afresh.plans[0];

/**
 * Looks at the next payments of a plan: at Stripe, in our records and in FileMaker's log. True: all have been looked at.
 * Throws PeerAwayError when Stripe cannot be asked now; what was looked at before stands.
 */
export async function lookAtPayments(plan: ReplayPlan, options: LookOptions): Promise<boolean> {
  const { database } = options;
  for (;;) {
    const items = await itemsToLook(database.executor, plan.id, PAYMENTS_PER_LOOK);
    if (items.length === 0) return true;
    const previewed = await atOnce(items, (item) => previewOf(item, plan, options));
    await storeLooks(database.executor, await looksAt(previewed, options));
    // What Stripe did serve stands; the others are looked at again when it may.
    for (const one of previewed) if ('putOff' in one) throw one.putOff;
    if (!options.hasTime()) return false;
  }
}

async function looksAt(previewed: readonly Previewed[], options: LookOptions): Promise<ReplayLook[]> {
  const { database } = options;
  const keys = previewed.flatMap((one) => ('preview' in one ? (meaningOf(one.preview)?.key ?? []) : []));
  const frozen = new Map((await readFrozenEffects(database.executor, keys)).map((effect) => [effect.key, effect]));
  const parked = [...frozen.values()].filter(({ state }) => state === 'parked').map(({ id }) => id);
  const releases = new Map((await explainEffectRetries(database, parked)).map(({ id, retry }) => [id, retry]));
  const asked = previewed.flatMap((one) => {
    const meaning = 'preview' in one ? meaningOf(one.preview) : undefined;
    if (meaning === undefined) return [];
    const standing = frozen.get(meaning.key);
    if (standing !== undefined && standing.state !== 'parked' && meaning.replaces === undefined) return [];
    return [{ key: meaning.key, target: standing?.target ?? meaning.target }];
  });
  const words = await options.askLog(asked);
  return previewed.flatMap((one) => {
    if ('putOff' in one) return [];
    if ('look' in one) return one.look;
    const meaning = meaningOf(one.preview);
    const standing = meaning === undefined ? undefined : frozen.get(meaning.key);
    const verdict = judgeReplay({
      preview: one.preview,
      standing: standing === undefined ? undefined : standingOf(standing, releases.get(standing.id)),
      log: words.get(meaning?.key ?? '') ?? 'unasked',
      hasProbe: hasProbe(standing?.target ?? meaning?.target),
      recoverFrom: options.recoverFrom(),
    });
    return lookOf(one, verdict, standing);
  });
}

function standingOf(effect: FrozenEffect, release: StandingEffect['release']): StandingEffect {
  const { state, attempts, reasonCode, reason, verified } = effect;
  return { state, attempts, reasonCode, reason, verified, release };
}

function lookOf(
  { item, preview, volatile }: { item: ReplayWork; preview: FlowPreview; volatile: readonly string[] },
  verdict: ReturnType<typeof judgeReplay>,
  standing: FrozenEffect | undefined,
): ReplayLook {
  const meaning = meaningOf(preview);
  const { about } = preview;
  const plans = verdict.acts === 'send' ? preview.plans : preview.afresh.plans;
  const changes =
    standing?.body == null || meaning === undefined ? [] : differenceOfBodies(standing.body, meaning.body, volatile);
  const occurredAt = meaning?.subject.occurredAt;
  return {
    itemId: item.id,
    ...verdict,
    invoiceId: meaning?.subject.invoiceId ?? about?.namedInvoice ?? null,
    amount: meaning?.subject.amount ?? about?.amount ?? null,
    currency: meaning?.subject.currency ?? about?.currency ?? null,
    occurredAt: occurredAt === undefined ? (about?.occurredAt ?? null) : new Date(occurredAt),
    effectKey: meaning?.key ?? null,
    effectId: standing?.id ?? null,
    restsOn:
      standing === undefined
        ? null
        : { state: standing.state, attempts: standing.attempts, reasonCode: standing.reasonCode },
    shown: plans.map((plan) => ({ key: plan.key, digest: planDigest(plan, volatile), body: plan.body })),
    difference: changes.map(({ path }) => path),
  };
}
