import { SimulatorError } from './simulator-error';
import type { Sale } from './store';
import type { Charge, EventType, PaymentIntent, Session } from './wire';
import type { World } from './world';

/** The money is here: charge captured and paid, PaymentIntent succeeded. */
export function succeedCharge(world: World, charge: Charge, intent: PaymentIntent): void {
  charge.status = 'succeeded';
  charge.paid = true;
  charge.captured = true;
  charge.amount_captured = charge.amount;
  charge.balance_transaction = world.ids.numbered('txn', 3);
  intent.status = 'succeeded';
  intent.amount_received = intent.amount;
  intent.amount_capturable = 0;
  intent.processing = null;
}

/** A delayed method succeeds: charge.succeeded, payment_intent.succeeded, checkout.session.async_payment_succeeded. */
export function settleSale(world: World, sessionId: string): string[] {
  const { sale, session, intent, charge } = paymentOf(world, sessionId);
  requireStatus(intent, 'processing');
  succeedCharge(world, charge, intent);
  session.payment_status = 'paid';
  sale.paidAtMs = world.clock.nowMs();
  return recordAll(world, sale, [
    ['charge.succeeded', charge],
    ['payment_intent.succeeded', intent],
    ['checkout.session.async_payment_succeeded', session],
  ]);
}

/** A delayed method fails: charge.failed, payment_intent.payment_failed, checkout.session.async_payment_failed. */
export function failSale(world: World, sessionId: string): string[] {
  const { sale, session, intent, charge } = paymentOf(world, sessionId);
  requireStatus(intent, 'processing');
  charge.status = 'failed';
  charge.failure_code = 'insufficient_funds';
  charge.failure_message = 'The account has too little money.';
  intent.status = 'requires_payment_method';
  intent.payment_method = null;
  intent.last_payment_error = {
    charge: charge.id,
    code: 'payment_intent_payment_attempt_failed',
    message: charge.failure_message,
    type: 'invalid_request_error',
  };
  return recordAll(world, sale, [
    ['charge.failed', charge],
    ['payment_intent.payment_failed', intent],
    ['checkout.session.async_payment_failed', session],
  ]);
}

/** An authorised amount is captured: charge.captured, payment_intent.succeeded. No Checkout event tells of it. */
export function captureSale(world: World, sessionId: string): string[] {
  const { sale, session, intent, charge } = paymentOf(world, sessionId);
  requireStatus(intent, 'requires_capture');
  succeedCharge(world, charge, intent);
  session.payment_status = 'paid';
  sale.paidAtMs = world.clock.nowMs();
  return recordAll(world, sale, [
    ['charge.captured', charge],
    ['payment_intent.succeeded', intent],
  ]);
}

/** An open Session runs out: checkout.session.expired. */
export function expireSale(world: World, sessionId: string): string[] {
  const { sale, session } = saleOf(world, sessionId);
  if (session.status !== 'open') throw new SimulatorError(`Session ${sessionId} is ${session.status}, not open`);
  session.status = 'expired';
  session.url = null;
  return recordAll(world, sale, [['checkout.session.expired', session]]);
}

export function saleOf(world: World, sessionId: string): { sale: Sale; session: Session } {
  const sale = world.store.sales.get(sessionId);
  const session = world.store.sessions.get(sessionId);
  if (sale === undefined || session === undefined)
    throw new SimulatorError(`No sale has the Session ${sessionId}`, 404);
  return { sale, session };
}

export function paymentOf(
  world: World,
  sessionId: string,
): { sale: Sale; session: Session; intent: PaymentIntent; charge: Charge } {
  const { sale, session } = saleOf(world, sessionId);
  const intent = world.store.paymentIntents.get(sale.paymentIntentId ?? '');
  const charge = world.store.charges.get(sale.chargeId ?? '');
  if (intent === undefined || charge === undefined) throw new SimulatorError(`Session ${sessionId} has no payment`);
  return { sale, session, intent, charge };
}

function requireStatus(intent: PaymentIntent, status: PaymentIntent['status']): void {
  if (intent.status !== status) throw new SimulatorError(`${intent.id} is ${intent.status}, not ${status}`);
}

function recordAll(world: World, sale: Sale, changes: [EventType, object][]): string[] {
  const at = world.clock.nowSeconds();
  return changes.flatMap(([type, object]) => world.events.record({ type, object }, sale.owner, at));
}
