import type { FileMakerClient } from '@bridge/filemaker-client';
import { FileMakerNotAskedError, type InvoicesRecovery, type LogQuestion, type LogTold } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import type { SessionPool } from '@bridge/session-pool';
import { StripeCallError, type StripeClient } from '@bridge/stripe-client';
import { z } from 'zod';
import { createBatchedFind, type FindTold } from '../performers/batched-find';
import { type ScriptTarget, scriptTargetSchema } from '../performers/script-target';
import { countFileMakerFind } from './run-calls';
import { createSentinelPlanter } from './sentinel-planter';

export interface RecoveryPeersOptions {
  /** Its reads come out of the budget of recovery. */
  stripe: Pick<
    StripeClient,
    | 'listSessions'
    | 'listEvents'
    | 'retrievePaidSession'
    | 'findSessionOfPaymentIntent'
    | 'retrieveRefund'
    | 'retrieveDispute'
    | 'walkRefunds'
    | 'walkDisputes'
    | 'listRefunds'
    | 'listDisputes'
  >;
  filemaker: Pick<FileMakerClient, 'find' | 'createRecord'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'flushEpoch'>;
  gates: Gates;
  worker: string;
  sentinelKey: string;
  /** Where a paid Session's script keeps its log today, for payments that have no effect; null: nowhere. */
  paidLog: ScriptTarget['log'];
  /** Longest wait for a FileMaker session. */
  leaseWaitMs: number;
  /** Undefined: FileMaker is open. */
  closedBecause(): Promise<{ cause: string; detail: string; afterMs: number } | undefined>;
}

type Log = NonNullable<ScriptTarget['log']>;

const announcement = z.looseObject({ data: z.looseObject({ object: z.looseObject({ id: z.string() }) }) });
const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1_000);
/**
 * How a payment comes to its end long after its charge was made: a bank debit, and a held amount that is captured. Asked for one
 * after the other, since the second list names every card's payment too and may be longer than we look.
 */
const LATE_ENDS = [
  ['checkout.session.async_payment_succeeded', 'checkout.session.async_payment_failed'],
  ['payment_intent.succeeded'],
];
/** Pages of each list of events of ten minutes: more are not looked through. */
const ANNOUNCED_PAGES_MAX = 10;
/** One question serves the pages of a run that follow each other closely. */
const ANNOUNCED_FOR_MS = 10_000;
/** A find that met another fault than an absent server is not repeated at once. */
const AGAIN_MS = 1_000;

/** Recovery only reads: a log that it cannot read must not stop the scripts of live work. */
const withoutScriptHalts = (gates: Gates): Gates => ({
  ...gates,
  halt: async (scope, ...rest) => {
    if (!scope.startsWith('script:')) await gates.halt(scope, ...rest);
  },
});

/** Joins the questions of the recovery path with Stripe and with FileMaker. */
export function createRecoveryPeers(options: RecoveryPeersOptions): InvoicesRecovery {
  const { stripe, sentinelKey } = options;
  const gates = withoutScriptHalts(options.gates);
  const counted: Pick<FileMakerClient, 'find'> = {
    find: (token, call) => {
      countFileMakerFind();
      return options.filemaker.find(token, call);
    },
  };
  const find = createBatchedFind({ ...options, client: counted, gates });
  const planter = createSentinelPlanter({ ...options, client: options.filemaker, gates });

  /** Undefined: the script keeps no log that could be asked. */
  function logOf({ target }: LogQuestion): Log | undefined {
    if (target === undefined) return options.paidLog ?? undefined;
    const read = scriptTargetSchema.safeParse(target);
    return (read.success ? read.data.log : null) ?? undefined;
  }

  async function findAll(
    questions: readonly { key: string; log: Log }[],
  ): Promise<Map<string, FindTold | 'unreadable'>> {
    const closed = await options.closedBecause();
    if (closed !== undefined) throw new FileMakerNotAskedError(closed.cause, closed.detail, closed.afterMs);
    // All of them are asked before the first answer is waited for: so they share their finds.
    const answers = await Promise.all(
      questions.map(async ({ key, log }) => ({
        key,
        asked: await find({
          layout: log.layout,
          field: log.keyField,
          value: key,
          sentinel: sentinelKey,
          script: 'reconciliation',
          waitedMs: 0,
        }),
      })),
    );
    const found = new Map<string, FindTold | 'unreadable'>();
    for (const { key, asked } of answers) {
      if (asked.kind === 'asked') found.set(key, asked.value);
      else if (asked.error?.halt !== undefined) found.set(key, 'unreadable');
      else {
        const { held } = asked;
        throw new FileMakerNotAskedError(held.code, held.message, held.kind === 'wait' ? held.afterMs : AGAIN_MS);
      }
    }
    return found;
  }

  function tell(found: FindTold | 'unreadable' | undefined, log: Log): LogTold {
    if (found === undefined || found === 'unreadable') return { kind: 'unasked', because: 'LOG_UNREADABLE' };
    if (found.cutShort) return { kind: 'unasked', because: 'CUT_SHORT' };
    if (found.rows.length === 0 && !found.sentinelFound) return { kind: 'unasked', because: 'SENTINEL_MISSING' };
    return { kind: 'told', states: found.rows.map((row) => String(row.fieldData[log.stateField] ?? '')) };
  }

  async function readLog(questions: readonly LogQuestion[]): Promise<Map<string, LogTold>> {
    const told = new Map<string, LogTold>();
    const askable: { key: string; log: Log }[] = [];
    for (const question of questions) {
      const log = logOf(question);
      if (log === undefined) told.set(question.key, { kind: 'unasked', because: 'NO_LOG' });
      else askable.push({ key: question.key, log });
    }
    const take = async (some: readonly { key: string; log: Log }[]): Promise<void> => {
      if (some.length === 0) return;
      const found = await findAll(some);
      for (const { key, log } of some) told.set(key, tell(found.get(key), log));
    };
    await take(askable);
    // A log that is new has no row of ours yet.
    const unproved = askable.filter(({ key }) => {
      const answer = told.get(key);
      return answer?.kind === 'unasked' && answer.because === 'SENTINEL_MISSING';
    });
    const [first] = unproved;
    if (first !== undefined && (await planter.plant(first.log))) await take(unproved);
    return told;
  }

  let announced: { askedAt: number; objects: Set<string> } | undefined;
  async function announcedSince(since: Date): Promise<ReadonlySet<string>> {
    if (announced !== undefined && performance.now() - announced.askedAt < ANNOUNCED_FOR_MS) return announced.objects;
    const objects = new Set<string>();
    const askedAt = performance.now();
    try {
      const created = { gte: toSeconds(since) };
      for (const types of LATE_ENDS) {
        for await (const { items } of stripe.listEvents({ types, created, pagesMax: ANNOUNCED_PAGES_MAX })) {
          for (const event of items) {
            const read = announcement.safeParse(event);
            if (read.success) objects.add(read.data.data.object.id);
          }
        }
      }
    } catch (error) {
      // A key that may read payments and no events: nothing is known of what is on its way.
      if (!(error instanceof StripeCallError) || error.code !== 'STRIPE_PERMISSION') throw error;
    }
    announced = { askedAt, objects };
    return objects;
  }

  const within = ({ since, until, olderThan }: { since: Date; until: Date; olderThan?: string | undefined }) => ({
    created: { gte: toSeconds(since), lt: toSeconds(until) },
    // A window of years in a large shop: the run goes on from its cursor, so that nothing is lost by the length.
    pagesMax: 1_000_000,
    ...(olderThan === undefined ? {} : { olderThan }),
  });

  /** Undefined: Stripe does not know it. */
  async function known<T>(ask: Promise<T>): Promise<T | undefined> {
    try {
      return await ask;
    } catch (error) {
      if (error instanceof StripeCallError && error.code === 'STRIPE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  return {
    listSessions: async function* (window) {
      const pages = stripe.listSessions({ withPayments: true, ...within(window) });
      for await (const page of pages) yield page.items;
    },
    listReversals: async function* (kind, window) {
      const pages = kind === 'refund' ? stripe.walkRefunds(within(window)) : stripe.walkDisputes(within(window));
      for await (const page of pages) yield page.items;
    },
    findSession: (sessionId) => known(stripe.retrievePaidSession(sessionId)),
    findSessionOfPaymentIntent: (paymentIntentId) => stripe.findSessionOfPaymentIntent(paymentIntentId),
    findReversal: (kind, id) => known(kind === 'refund' ? stripe.retrieveRefund(id) : stripe.retrieveDispute(id)),
    announcedSince,
    listRefunds: (paymentIntentId) => stripe.listRefunds(paymentIntentId),
    listDisputes: (paymentIntentId) => stripe.listDisputes(paymentIntentId),
    readLog,
  };
}
