import { renderCharge } from './objects/charge';
import { renderPaymentIntent } from './objects/payment-intent';
import { fillInBuyer } from './objects/session';
import { succeedCharge } from './settlement';
import { SimulatorError } from './simulator-error';
import type { Sale } from './store';
import type { Charge, PaymentIntent, Session } from './wire';
import type { World } from './world';

/**
 * The buyer finishes the Session. Events, as at Stripe, in an order nobody may rely on:
 * card: payment_intent.created, charge.succeeded, payment_intent.succeeded, checkout.session.completed;
 * delayed: payment_intent.created, payment_intent.processing, charge.pending, checkout.session.completed (unpaid);
 * manual capture: payment_intent.created, charge.succeeded, payment_intent.amount_capturable_updated, completed.
 * Returns the events' ids.
 */
export function completeSession(world: World, sale: Sale): string[] {
  const session = world.store.sessions.get(sale.sessionId);
  if (session === undefined || session.status !== 'open')
    throw new SimulatorError(`Session ${sale.sessionId} is not open`);
  const at = sale.order.created ?? world.clock.nowSeconds();
  session.status = 'complete';
  session.url = null;
  fillInBuyer(session, sale.draft);
  const eventIds = payFor(world, sale, session, at);
  eventIds.push(...world.events.record({ type: 'checkout.session.completed', object: session }, sale.owner, at));
  return eventIds;
}

function payFor(world: World, sale: Sale, session: Session, at: number): string[] {
  if (session.mode === 'setup') {
    session.setup_intent = world.ids.numbered('seti', 1);
    return [];
  }
  if (session.mode === 'subscription') {
    session.subscription = world.ids.numbered('sub', 1);
    session.invoice = world.ids.numbered('in', 1);
    session.payment_status = sale.order.paymentStatus ?? 'paid';
    return [];
  }
  if (session.amount_total === 0 || sale.order.paymentStatus === 'no_payment_required') {
    session.payment_status = 'no_payment_required';
    return [];
  }
  const { intent, charge } = startPayment(world, sale, session, at);
  const eventIds = world.events.record({ type: 'payment_intent.created', object: createdForm(intent) }, sale.owner, at);
  const record = (type: Parameters<typeof world.events.record>[0]['type'], object: object) =>
    eventIds.push(...world.events.record({ type, object }, sale.owner, at));

  if (sale.order.delayed || sale.order.paymentStatus === 'unpaid') {
    intent.status = 'processing';
    record('payment_intent.processing', intent);
    record('charge.pending', charge);
    return eventIds;
  }
  if (sale.order.manualCapture) {
    intent.status = 'requires_capture';
    intent.amount_capturable = intent.amount;
    charge.status = 'succeeded';
    charge.paid = true;
    session.payment_status = world.settings.manualCapturePaymentStatus;
    record('charge.succeeded', charge);
    record('payment_intent.amount_capturable_updated', intent);
    return eventIds;
  }
  succeedCharge(world, charge, intent);
  session.payment_status = 'paid';
  sale.paidAtMs = at * 1000;
  record('charge.succeeded', charge);
  record('payment_intent.succeeded', intent);
  return eventIds;
}

function startPayment(
  world: World,
  sale: Sale,
  session: Session,
  at: number,
): { intent: PaymentIntent; charge: Charge } {
  const { order, owner, draft } = sale;
  const id = world.ids.numbered('pi', 3);
  const intent = renderPaymentIntent({
    id,
    amount: session.amount_total ?? 0,
    currency: order.currency,
    created: at,
    livemode: owner.livemode,
    customer: session.customer,
    metadata: { ...order.paymentIntentMetadata },
    manualCapture: order.manualCapture,
    paymentMethod: world.ids.numbered('pm', 1),
    paymentMethodType: draft.paymentMethodType,
    shipping: draft.shipping,
    clientSecret: `${id}_secret_${world.ids.next('', 25).slice(1)}`,
  });
  const charge = renderCharge({
    id: world.ids.numbered(order.delayed ? 'py' : 'ch', 3),
    intent,
    customerDetails: session.customer_details,
    account: owner.account ?? world.settings.accountId,
    created: at,
    receiptToken: world.ids.next('', 60).slice(1),
  });
  intent.latest_charge = charge.id;
  session.payment_intent = intent.id;
  sale.paymentIntentId = intent.id;
  sale.chargeId = charge.id;
  world.store.paymentIntents.add(intent, owner, at);
  world.store.charges.add(charge, owner, at);
  return { intent, charge };
}

/** The PaymentIntent as it was when it was made: no charge yet, no method. */
function createdForm(intent: PaymentIntent): PaymentIntent {
  return { ...intent, latest_charge: null, payment_method: null, status: 'requires_payment_method' };
}
