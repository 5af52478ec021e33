import { createEffectReader, type EffectStanding } from '@bridge/effects';
import type { Compared, Finding, ReconcileContext } from '@bridge/flow';
import { paidKey } from '../decide-payment';
import { reversalKeys } from '../decide-reversal';
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
  type EffectSide,
  FILEMAKER_CLASSES,
  LEAVE_TO_OTHERS_MS,
  moneyCameAt,
  type RecordedReversal,
  type StripeSide,
} from './books';
import { compareReversalLog, isWhole, missesReversals, type ReversalEffect } from './compare-reversals';
import { compareSession } from './compare-session';
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

function unreadable(session: unknown, error: UnreadableSessionError): Finding[] {
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
  reversals: ReversalCase[];
}

/** A refund or dispute of ours and what it has led to. */
export interface ReversalCase {
  reversal: RecordedReversal;
  standings: EffectStanding[];
}

/** Keys of everything that these refunds and disputes can have led to. */
export const keysOfReversals = (reversals: readonly RecordedReversal[]): string[] =>
  reversals.flatMap(({ kind, id }) => reversalKeys(kind, id));

export const reversalCase = (
  reversal: RecordedReversal,
  standings: ReadonlyMap<string, EffectStanding>,
): ReversalCase => ({
  reversal,
  standings: reversalKeys(reversal.kind, reversal.id).flatMap((key) => standings.get(key) ?? []),
});

const isSuspect = ({ state }: Pick<EffectStanding, 'state'>): boolean => state !== 'done' && state !== 'cancelled';

/** What FileMaker has to say about them. */
export const questionsAbout = ({ standings }: ReversalCase, reach: FileMakerReach): LogQuestion[] =>
  standings.filter((standing) => reach === 'all' || isSuspect(standing)).map(({ key, target }) => ({ key, target }));

/** What the log was asked, what it told, and how the effects stand since. */
export interface LogLook {
  asked: ReadonlySet<string>;
  told: ReadonlyMap<string, LogTold>;
  after: ReadonlyMap<string, EffectStanding>;
}

/** How FileMaker's log and our effects differ about a refund or dispute. */
export function judgeReversalLog(
  { reversal, standings }: ReversalCase,
  { asked, told, after }: LogLook,
  { observing }: Pick<PageContext, 'observing'>,
): {
  findings: Finding[];
  /** Everything that there was to ask was told. */
  wasTold: boolean;
  /** An effect has moved on while the log was asked. */
  moved: boolean;
  /** There is a log, and it did not say. */
  unasked: boolean;
} {
  const effects: ReversalEffect[] = standings.map((standing) => ({
    key: standing.key,
    effect: effectSide(standing),
    filemaker: told.get(standing.key),
  }));
  return {
    findings: compareReversalLog(reversal, effects, { observing }),
    wasTold: effects.length > 0 && effects.every(({ filemaker }) => filemaker?.kind === 'told'),
    moved: standings.some(({ key, state }) => asked.has(key) && after.get(key)?.state !== state),
    unasked: effects.some(
      ({ key, filemaker: log }) =>
        asked.has(key) && (log === undefined || (log.kind === 'unasked' && log.because !== 'NO_LOG')),
    ),
  };
}

const effectSide = (standing: EffectStanding): EffectSide => ({
  state: standing.state,
  byPerson: standing.byPerson,
  askOnly: standing.askOnly,
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

/** A payment that we know as unpaid has come to its end at Stripe, some time after its charge was made. */
const hasEndedLate = ({ stripe: { facts }, recorded: { payment } }: Case): boolean =>
  payment !== undefined &&
  ((facts.paid && payment.status !== 'paid' && payment.status !== 'parked') ||
    (facts.failed && payment.status === 'pending'));

/**
 * The charge of a bank debit or of a held amount is days older than its end, and nothing at Stripe's objects says when that was:
 * the events do. What ended a moment ago is left to its webhook, as a card's payment is. The passes that come all day ask; the
 * one of the night would ask for nearly nothing.
 */
async function announcedLately(
  cases: readonly Case[],
  { recovery, now, reach }: PageContext,
): Promise<ReadonlySet<string>> {
  if (reach === 'all' || !cases.some(hasEndedLate)) return new Set();
  return recovery.announcedSince(new Date(now.getTime() - LEAVE_TO_OTHERS_MS));
}

/** What FileMaker has to say about a payment, if it is to be asked at all. */
function logQuestion({ stripe, recorded, standing }: Case, reach: FileMakerReach): LogQuestion | undefined {
  const { facts } = stripe;
  const isPaid = facts.paid || standing?.state === 'done';
  if (!isPaid) return undefined;
  const suspect = recorded.payment !== undefined && (standing === undefined || isSuspect(standing));
  if (reach === 'suspects' && !suspect) return undefined;
  return { key: paidKey(facts.id), target: standing?.target };
}

export async function readLog(
  questions: readonly LogQuestion[],
  { recovery, reach }: Pick<PageContext, 'recovery' | 'reach'>,
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

const ofKind = (reversals: readonly RecordedReversal[], kind: RecordedReversal['kind']): string[] =>
  reversals.filter((one) => one.kind === kind).map(({ id }) => id);

/** An object that was compared, and how far. */
interface JudgedObject {
  id: string;
  /** FileMaker's log told everything about it. */
  log: boolean;
  /** Its presence at Stripe was seen: of a payment's refunds and disputes only where their own list was read. */
  lookedFor: boolean;
}

/** What only a look at the object itself can show of a refund or dispute. */
const OF_THEIR_OWN_LIST: ReadonlySet<string> = new Set([
  'recorded-not-at-stripe',
  'amount-differs',
  'currency-differs',
]);

function comparedOf(objects: readonly JudgedObject[], byPerson: readonly string[]): Compared[] {
  const group = (log: boolean, lookedFor: boolean): Compared => ({
    objectIds: objects.filter((one) => one.log === log && one.lookedFor === lookedFor).map(({ id }) => id),
    classes: [
      ...CLASSES.filter((name) => lookedFor || !OF_THEIR_OWN_LIST.has(name)),
      ...(log ? FILEMAKER_CLASSES : []),
    ],
    byPerson,
  });
  return [group(true, true), group(true, false), group(false, true), group(false, false)];
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
      findings.push(...unreadable(snapshot.session, error));
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
  const standings = await effects.standings([
    ...new Set(judged.flatMap(sessionsOf).map(paidKey)),
    ...[...recorded.values()].flatMap(({ reversals }) => keysOfReversals(reversals)),
  ]);

  const all: Case[] = [];
  /** Sessions with a refund or dispute that cannot be read: told as such, and no other is kept from being compared. */
  let withoutSide = 0;
  for (const facts of judged) {
    const known = recorded.get(facts.id);
    if (known === undefined) throw new Error(`PostgreSQL did not answer about ${facts.id}`);
    const side = await withReversals(facts, known, recovery).catch((error: unknown) => {
      if (!(error instanceof UnreadableSessionError)) throw error;
      findings.push(...unreadable({ id: facts.id, amount_total: facts.amountTotal, currency: facts.currency }, error));
      return undefined;
    });
    if (side === undefined) {
      withoutSide += 1;
      continue;
    }
    all.push({
      stripe: side,
      recorded: { ...known, others: otherPayments(known, standings) },
      standing: standings.get(paidKey(facts.id)),
      reversals: known.reversals.map((reversal) => reversalCase(reversal, standings)),
    });
  }
  const announced = await announcedLately(all, context);
  const isAnnounced = ({ stripe: { facts } }: Case): boolean =>
    announced.has(facts.id) || announced.has(facts.paymentIntentId);
  const cases = all.filter((one) => !hasEndedLate(one) || !isAnnounced(one));
  const reversalsInHand = await context.inHand(
    cases.flatMap(({ stripe, recorded: { reversals } }) =>
      [...reversals, ...(stripe.refunds ?? []), ...(stripe.disputes ?? [])].map(({ id }) => id),
    ),
  );

  const questions = cases.flatMap((one) => [
    ...[logQuestion(one, context.reach)].filter((question) => question !== undefined),
    ...one.reversals.flatMap((reversal) => questionsAbout(reversal, context.reach)),
  ]);
  const asked = new Set(questions.map(({ key }) => key));
  const told = await readLog(questions, context);
  const after = await effects.standings([...asked]);

  const judgedObjects: JudgedObject[] = [];
  const byPerson: string[] = [];
  let left = ours.length - cases.length - withoutSide;
  let unasked = 0;
  for (const { stripe, recorded: record, standing, reversals } of cases) {
    const { id } = stripe.facts;
    const key = paidKey(id);
    const log = told.get(key);
    const logged = reversals.map((one) => ({
      id: one.reversal.id,
      ...judgeReversalLog(one, { asked, told, after }, context),
    }));
    const moved = (asked.has(key) && after.get(key)?.state !== standing?.state) || logged.some((one) => one.moved);
    const differences = [
      ...compareSession(stripe, record, standing === undefined ? undefined : effectSide(standing), log, {
        now: context.now,
        recoverFrom: context.recoverFrom,
        instalments: settings.instalments,
        observing: context.observing,
      }),
      ...logged.flatMap((one) => one.findings),
    ].filter(({ objectId }) => !reversalsInHand.has(objectId));
    if (differences.length > 0 && (record.fresh || moved)) {
      left += 1;
      continue;
    }
    findings.push(...differences);
    const listed = [...(stripe.refunds ?? []), ...(stripe.disputes ?? [])];
    const objects = [id, ...new Set([...record.reversals, ...listed].map((reversal) => reversal.id))];
    if (standing?.byPerson === true) byPerson.push(id);
    for (const { reversal, standings: own } of reversals)
      if (standing?.byPerson === true || own.some((one) => one.byPerson)) byPerson.push(reversal.id);
    const wasTold = new Set([
      ...(log?.kind === 'told' ? [id] : []),
      ...logged.filter((one) => one.wasTold).map((one) => one.id),
    ]);
    const lookedFor = new Set([
      id,
      ...(isWhole(stripe.refunds) ? ofKind(record.reversals, 'refund') : []),
      ...(isWhole(stripe.disputes) ? ofKind(record.reversals, 'dispute') : []),
    ]);
    judgedObjects.push(
      ...objects.map((object) => ({ id: object, log: wasTold.has(object), lookedFor: lookedFor.has(object) })),
    );
    if ((asked.has(key) && log?.kind !== 'told') || logged.some((one) => one.unasked)) unasked += 1;
  }
  return {
    checked: snapshots.length - left,
    unasked,
    findings,
    compared: comparedOf(judgedObjects, byPerson),
  };
}
