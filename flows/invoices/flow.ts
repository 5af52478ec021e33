import { dirname, join } from 'node:path';
import type { Executor } from '@bridge/database';
import type { EffectState } from '@bridge/effects';
import { type CorrectableEffect, createEffectReader, lockForCorrection } from '@bridge/effects';
import { defineFlow, type FlowEvent } from '@bridge/flow';
import { decideGivenInvoice } from './decide-given-invoice';
import { decidePayment, type InvoicesWrite, type PaymentState, paidKey } from './decide-payment';
import { decideReversal } from './decide-reversal';
import {
  changeInvoice,
  findPayment,
  lockInvoice,
  lockSession,
  otherPaymentsOfInvoice,
  PaymentRacedError,
  readPayment,
  writePayment,
  writeReversal,
} from './ledger';
import type { InvoicesPeers, SessionSnapshot } from './ports';
import { passes } from './reconcile/passes';
import { invoicesRecords } from './records';
import { invoicesReplay } from './replay';
import { type ReversalFacts, readReversalFacts, readSessionFacts, type SessionFacts } from './session-facts';
import { type InvoicesSettings, invoicesSettings } from './settings';

type Gathered =
  | {
      about: 'payment';
      snapshot: SessionSnapshot;
      /** With the invoice that counts. */
      facts: SessionFacts;
      /** The invoice that the Session names by itself. */
      namedInvoice: string | undefined;
    }
  | { about: 'reversal'; kind: 'refund' | 'dispute'; object: unknown; reversal: ReversalFacts; session: SessionFacts }
  | { about: 'nothing'; reasonCode: string; reason: string };

type State =
  | ({ about: 'payment'; standing: CorrectableEffect | undefined; afresh: boolean } & PaymentState)
  | { about: 'reversal'; paidEffect: EffectState | undefined; refundEffect: EffectState | undefined }
  | { about: 'nothing' };

const SESSION_EVENTS = ['completed', 'async_payment_succeeded', 'async_payment_failed', 'expired'].map(
  (name) => `checkout.session.${name}`,
);
const REFUND_EVENTS = ['refund.created', 'refund.updated', 'refund.failed'];
const DISPUTE_EVENTS = ['created', 'updated', 'funds_withdrawn', 'funds_reinstated', 'closed'].map(
  (name) => `charge.dispute.${name}`,
);

const idOf = (event: FlowEvent): string => (typeof event.object.id === 'string' ? event.object.id : '');
const NO_SESSION = {
  about: 'nothing',
  reasonCode: 'NO_CHECKOUT_SESSION',
  reason: 'The payment did not come through a Checkout Session or Payment Link',
} as const;
const PAID_BEFORE = {
  about: 'nothing',
  reasonCode: 'PAID_BEFORE',
  reason: 'This payment is recorded already, and nothing is sent twice',
} as const;

interface Context {
  settings: InvoicesSettings;
  peers: InvoicesPeers;
  records: Executor;
  afresh?: boolean;
}

async function gatherPayment(event: FlowEvent, { settings, peers, records, afresh }: Context): Promise<Gathered> {
  const ofSession = SESSION_EVENTS.includes(event.type);
  const known = await findPayment(records, ofSession ? { sessionId: idOf(event) } : { paymentIntentId: idOf(event) });
  // Most payments are announced twice. Once paid is paid for good: the second announcement costs Stripe no question.
  // Unless a person corrects its invoice.
  const corrects = event.order?.invoice !== undefined && event.order.invoice !== known?.invoiceId;
  if (known?.status === 'paid' && afresh !== true && !corrects) return PAID_BEFORE;
  const sessionId = ofSession
    ? idOf(event)
    : (known?.sessionId ?? (await peers.stripe.findSessionOfPaymentIntent(idOf(event))));
  if (sessionId === undefined) return NO_SESSION;
  const snapshot = await peers.stripe.retrievePaidSession(sessionId);
  const facts = readSessionFacts(snapshot, settings.invoiceIdKeys);
  // What a person gave at an earlier replay stands in our records alone.
  const recorded = known?.status === 'paid' ? known.invoiceId : undefined;
  const invoiceId = event.order?.invoice ?? facts.invoiceId ?? recorded;
  return { about: 'payment', snapshot, facts: { ...facts, invoiceId }, namedInvoice: facts.invoiceId };
}

async function gatherReversal(
  kind: 'refund' | 'dispute',
  event: FlowEvent,
  { settings, peers, records }: Context,
): Promise<Gathered> {
  const object =
    kind === 'refund'
      ? await peers.stripe.retrieveRefund(idOf(event))
      : await peers.stripe.retrieveDispute(idOf(event));
  const reversal = readReversalFacts(object);
  if (reversal.paymentIntentId === undefined) return NO_SESSION;
  const { paymentIntentId } = reversal;
  const known = await findPayment(records, { paymentIntentId });
  const sessionId = known?.sessionId ?? (await peers.stripe.findSessionOfPaymentIntent(paymentIntentId));
  if (sessionId === undefined) return NO_SESSION;
  const session = readSessionFacts(await peers.stripe.retrievePaidSession(sessionId), settings.invoiceIdKeys);
  // What a person gave at a replay stands in our records alone.
  const invoiceId = known?.invoiceId ?? session.invoiceId;
  return { about: 'reversal', kind, object, reversal, session: { ...session, invoiceId } };
}

async function load(tx: Executor, gathered: Gathered, event: FlowEvent): Promise<State> {
  if (gathered.about === 'nothing') return { about: 'nothing' };
  const facts = gathered.about === 'payment' ? gathered.facts : gathered.session;
  const { invoiceId } = facts;
  const lock = (): Promise<void> =>
    invoiceId === undefined ? lockSession(tx, facts.id) : lockInvoice(tx, invoiceId, facts.id);
  const effects = createEffectReader(tx);
  if (gathered.about === 'reversal') {
    await lock();
    const recorded = (await readPayment(tx, facts.id))?.invoiceId;
    // A person has corrected it since it was gathered: the next start gathers the invoice that counts.
    if (recorded !== undefined && recorded !== facts.invoiceId) throw new PaymentRacedError(facts.id);
    return {
      about: 'reversal',
      paidEffect: await effects.stateOf(paidKey(facts.id)),
      refundEffect: await effects.stateOf(`invoice-refunded:${gathered.reversal.id}`),
    };
  }
  // They go out together and run one after the other: what follows the lock sees what its last holder has committed.
  const [, before, otherSessions, standing] = await Promise.all([
    lock(),
    readPayment(tx, facts.id),
    invoiceId === undefined ? [] : otherPaymentsOfInvoice(tx, invoiceId, facts.id),
    // Only a person's order can change what an effect means.
    event.order?.invoice === undefined ? undefined : lockForCorrection(tx, paidKey(facts.id)),
  ]);
  return { about: 'payment', before, otherSessions, standing, afresh: false };
}

/** A paid Checkout Session or Payment Link runs the company's FileMaker script, once; a refund or dispute is a new fact. */
export const invoices = defineFlow<InvoicesSettings, InvoicesPeers, Gathered, State, InvoicesWrite>({
  name: 'invoices',
  title: 'Paid invoices reach FileMaker',
  wants: [...SESSION_EVENTS, 'payment_intent.succeeded', ...REFUND_EVENTS, ...DISPUTE_EVENTS],
  settings: invoicesSettings,
  facts: {
    paid: 'An invoice was paid',
    payment_failed: 'A delayed payment failed',
    refunded: 'A payment was refunded',
    disputed: 'A payment is disputed',
  },
  migrations: {
    owner: 'flow_invoices',
    directory: join(dirname(require.resolve('@bridge/flows/package.json')), 'invoices/migrations'),
  },
  onEvent: {
    gather: (event, context) => {
      if (REFUND_EVENTS.includes(event.type)) return gatherReversal('refund', event, context);
      if (DISPUTE_EVENTS.includes(event.type)) return gatherReversal('dispute', event, context);
      return gatherPayment(event, context);
    },
    load,
    decide: ({ event, gathered, state, settings, peers }) => {
      if (gathered.about === 'payment' && state.about === 'payment') {
        const { snapshot, facts, namedInvoice } = gathered;
        const { scripts, livemode } = peers;
        const input = { event, snapshot, facts, state, settings, scripts, livemode };
        const invoice = event.order?.invoice;
        if (invoice === undefined || state.afresh) return decidePayment(input);
        const order = { ...event.order, plan: event.order?.plan ?? '', invoice };
        return decideGivenInvoice({ ...input, order, namedInvoice, standing: state.standing });
      }
      if (gathered.about === 'reversal' && state.about === 'reversal') {
        return decideReversal({ event, ...gathered, ...state, scripts: peers.scripts });
      }
      return gathered.about === 'nothing'
        ? [{ kind: 'ignore', reasonCode: gathered.reasonCode, reason: gathered.reason }]
        : [];
    },
    write: (tx, write) => {
      if (write.table === 'payments') return writePayment(tx, write.row);
      return write.table === 'reversals' ? writeReversal(tx, write.row) : changeInvoice(tx, write.change);
    },
    afresh: (state) => (state.about === 'payment' ? { ...state, before: undefined, afresh: true } : state),
    about: (gathered) => {
      if (gathered.about === 'nothing') return undefined;
      if (gathered.about === 'reversal') {
        const { amount, currency } = gathered.reversal;
        return { namedInvoice: gathered.session.invoiceId, amount, currency, moved: true, occurredAt: undefined };
      }
      const { amountTotal, currency, paid, paidAt, createdAt } = gathered.facts;
      const occurredAt = paid ? (paidAt ?? createdAt) : undefined;
      return { namedInvoice: gathered.namedInvoice, amount: amountTotal, currency, moved: paid, occurredAt };
    },
  },
  replay: invoicesReplay,
  reconcile: { passes },
  records: invoicesRecords,
});
