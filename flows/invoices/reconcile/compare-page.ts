import { createEffectReader, type EffectStanding } from '@bridge/effects';
import type { Compared, Finding, ReconcileContext } from '@bridge/flow';
import { paidKey } from '../decide-payment';
import {
  FileMakerNotAskedError,
  type InvoicesPeers,
  type InvoicesRecovery,
  type LogQuestion,
  type LogTold,
  type SessionSnapshot,
} from '../ports';
import { readReversalFacts, readSessionFacts, type SessionFacts, UnreadableSessionError } from '../session-facts';
import type { InvoicesSettings } from '../settings';
import {
  CLASSES,
  compareSession,
  type EffectSide,
  FILEMAKER_CLASSES,
  LEAVE_TO_OTHERS_MS,
  missesReversals,
  moneyCameAt,
  type StripeSide,
} from './compare-session';
import { type Recorded, readRecorded } from './read-recorded';

/** `all`: every payment. `suspects`: only those that look as if FileMaker had not been told of them. */
export type FileMakerReach = 'all' | 'suspects';

export interface PageContext extends ReconcileContext {
  settings: InvoicesSettings;
  peers: InvoicesPeers;
  recovery: InvoicesRecovery;
  now: Date;
  reach: FileMakerReach;
}

export interface ComparedPage {
  /** How many Sessions were compared; the others were left alone. */
  checked: number;
  /** Of those compared, the ones whose effect FileMaker could not be asked about. */
  unasked: number;
  findings: Finding[];
  compared: Compared[];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Listed Sessions carry their PaymentIntent and its charge inside. */
export function unfoldListed(session: unknown): SessionSnapshot {
  const paymentIntent = isObject(session) && isObject(session.payment_intent) ? session.payment_intent : null;
  const charge = paymentIntent !== null && isObject(paymentIntent.latest_charge) ? paymentIntent.latest_charge : null;
  return { session, lineItems: [], products: {}, charge, paymentIntent };
}

function unreadable(snapshot: SessionSnapshot, error: UnreadableSessionError): Finding[] {
  const { session } = snapshot;
  if (!isObject(session) || typeof session.id !== 'string') throw error;
  const { amount_total: amount, currency } = session;
  return [
    {
      class: 'unreadable-at-stripe',
      objectId: session.id,
      stripeValue: 'cannot be read',
      recordedValue: null,
      filemakerValue: null,
      amount: typeof amount === 'number' && Number.isSafeInteger(amount) && amount > 0 ? amount : 0,
      currency: typeof currency === 'string' ? currency : '',
      message: error.message,
      replay: null,
    },
  ];
}

/** One Session on its way through the comparison. */
interface Case {
  stripe: StripeSide;
  recorded: Recorded;
  standing: EffectStanding | undefined;
}

const effectSide = (standing: EffectStanding): EffectSide => ({
  state: standing.state,
  byPerson: standing.byPerson,
  reasonCode: standing.reasonCode ?? undefined,
  plannedAt: standing.plannedAt,
});

/** Refunds and disputes are read one by one only where the charge and our records do not agree about them. */
async function withReversals(facts: SessionFacts, recorded: Recorded, recovery: InvoicesRecovery): Promise<StripeSide> {
  const missing =
    facts.paymentIntentId === '' ? { refunds: false, disputes: false } : missesReversals(facts, recorded.reversals);
  return {
    facts,
    ...(missing.refunds ? { refunds: (await recovery.listRefunds(facts.paymentIntentId)).map(readReversalFacts) } : {}),
    ...(missing.disputes
      ? { disputes: (await recovery.listDisputes(facts.paymentIntentId)).map(readReversalFacts) }
      : {}),
  };
}

/** What FileMaker has to say about a payment, if it is to be asked at all. */
function logQuestion({ stripe, recorded, standing }: Case, reach: FileMakerReach): LogQuestion | undefined {
  const { facts } = stripe;
  const isPaid = facts.paid || standing?.state === 'done';
  if (!isPaid) return undefined;
  const suspect = recorded.payment !== undefined && standing?.state !== 'done' && standing?.state !== 'cancelled';
  if (reach === 'suspects' && !suspect) return undefined;
  return { key: paidKey(facts.id), target: standing?.target };
}

async function readLog(
  questions: readonly LogQuestion[],
  { recovery, reach }: PageContext,
): Promise<ReadonlyMap<string, LogTold>> {
  if (questions.length === 0) return new Map();
  try {
    return await recovery.readLog(questions);
  } catch (error) {
    // A frequent pass goes on without FileMaker; the thorough one waits for it.
    if (reach === 'suspects' && error instanceof FileMakerNotAskedError) return new Map();
    throw error;
  }
}

/** Payments of the same invoice that nobody has cancelled. */
function otherPayments(recorded: Recorded, standings: ReadonlyMap<string, EffectStanding>): Recorded['others'] {
  return recorded.others.filter(({ sessionId }) => standings.get(paidKey(sessionId))?.state !== 'cancelled');
}

/**
 * Compares Sessions as Stripe gives them with our records and with FileMaker's log. In this order, so that what happens
 * meanwhile is never a finding: first which events are in hand, then our records, then FileMaker, then the effects once
 * more. What is paid a moment ago, in hand, or written a moment ago and different, is left alone.
 */
export async function comparePage(snapshots: readonly SessionSnapshot[], context: PageContext): Promise<ComparedPage> {
  const { settings, peers, recovery, executor } = context;
  const findings: Finding[] = [];
  const read: SessionFacts[] = [];
  for (const snapshot of snapshots) {
    try {
      read.push(readSessionFacts(snapshot, settings.invoiceIdKeys));
    } catch (error) {
      if (!(error instanceof UnreadableSessionError)) throw error;
      findings.push(...unreadable(snapshot, error));
    }
  }
  const ours = read.filter((facts) => facts.mode === 'payment' && facts.livemode === peers.livemode);
  const isYoung = (facts: SessionFacts): boolean =>
    facts.paid && moneyCameAt(facts).getTime() > context.now.getTime() - LEAVE_TO_OTHERS_MS;
  const old = ours.filter((facts) => !isYoung(facts));
  const inHand = await context.inHand(old.flatMap(({ id, paymentIntentId }) => [id, paymentIntentId]));
  const judged = old.filter(({ id, paymentIntentId }) => !inHand.has(id) && !inHand.has(paymentIntentId));

  const recorded = await readRecorded(
    executor,
    judged.map(({ id }) => id),
  );
  const effects = createEffectReader(executor);
  const sessionsOf = (facts: SessionFacts): string[] => [
    facts.id,
    ...(recorded.get(facts.id)?.others ?? []).map(({ sessionId }) => sessionId),
  ];
  const standings = await effects.standings([...new Set(judged.flatMap(sessionsOf).map(paidKey))]);

  const cases: Case[] = [];
  for (const facts of judged) {
    const known = recorded.get(facts.id);
    if (known === undefined) throw new Error(`PostgreSQL did not answer about ${facts.id}`);
    cases.push({
      stripe: await withReversals(facts, known, recovery),
      recorded: { ...known, others: otherPayments(known, standings) },
      standing: standings.get(paidKey(facts.id)),
    });
  }
  const reversalsInHand = await context.inHand(
    cases.flatMap(({ stripe }) => [...(stripe.refunds ?? []), ...(stripe.disputes ?? [])].map(({ id }) => id)),
  );

  const questions = cases.flatMap((one) => logQuestion(one, context.reach) ?? []);
  const asked = new Set(questions.map(({ key }) => key));
  const told = await readLog(questions, context);
  const after = await effects.standings([...asked]);

  const withLog: string[] = [];
  const withoutLog: string[] = [];
  const byPerson: string[] = [];
  let left = ours.length - judged.length;
  let unasked = 0;
  for (const { stripe, recorded: record, standing } of cases) {
    const { id } = stripe.facts;
    const key = paidKey(id);
    const log = told.get(key);
    const moved = asked.has(key) && after.get(key)?.state !== standing?.state;
    const differences = compareSession(stripe, record, standing === undefined ? undefined : effectSide(standing), log, {
      now: context.now,
      recoverFrom: context.recoverFrom,
      instalments: settings.instalments,
      observing: context.observing,
    }).filter(({ objectId }) => !reversalsInHand.has(objectId));
    if (differences.length > 0 && (record.fresh || moved)) {
      left += 1;
      continue;
    }
    findings.push(...differences);
    const reversals = [...record.reversals, ...(stripe.refunds ?? []), ...(stripe.disputes ?? [])];
    const objects = [id, ...new Set(reversals.map((reversal) => reversal.id))];
    if (standing?.byPerson === true) byPerson.push(...objects);
    if (log?.kind === 'told') withLog.push(...objects);
    else {
      withoutLog.push(...objects);
      if (asked.has(key)) unasked += 1;
    }
  }
  return {
    checked: snapshots.length - left,
    unasked,
    findings,
    compared: [
      { objectIds: withLog, classes: [...CLASSES, ...FILEMAKER_CLASSES], byPerson },
      { objectIds: withoutLog, classes: CLASSES, byPerson },
    ],
  };
}
