import { toJson } from '../json';
import { createRefund } from '../refunds';
import type { Charge, Refund } from '../wire';
import { invalidRequest, resourceMissing } from './api-error';
import { find, listOf, matches, retrieve } from './lookup';
import type { Call, Route } from './route';

const REASONS: readonly NonNullable<Refund['reason']>[] = ['duplicate', 'fraudulent', 'requested_by_customer'];

export const paymentRoutes: Route[] = [
  {
    method: 'get',
    path: '/v1/payment_intents',
    resource: 'payment_intents',
    kind: 'payment_intent',
    handle: (call) =>
      listOf(
        call,
        call.world.store.paymentIntents,
        'payment_intent',
        ['created', 'customer', 'customer_account'],
        (intent) => matches(call, 'customer', intent.customer),
      ),
  },
  {
    method: 'get',
    path: '/v1/payment_intents/:id',
    resource: 'payment_intents',
    kind: 'payment_intent',
    handle: (call) => {
      call.parameters.only('client_secret');
      return toJson(find(call, call.world.store.paymentIntents, 'payment_intent', call.id).value);
    },
  },
  {
    method: 'get',
    path: '/v1/charges',
    resource: 'charges',
    kind: 'charge',
    handle: (call) =>
      listOf(
        call,
        call.world.store.charges,
        'charge',
        ['created', 'customer', 'payment_intent', 'transfer_group'],
        (charge) =>
          matches(call, 'customer', charge.customer) &&
          matches(call, 'payment_intent', charge.payment_intent) &&
          matches(call, 'transfer_group', charge.transfer_group),
      ),
  },
  {
    method: 'get',
    path: '/v1/charges/:id',
    resource: 'charges',
    kind: 'charge',
    handle: retrieve((call) => call.world.store.charges, 'charge'),
  },
  {
    method: 'get',
    path: '/v1/refunds',
    resource: 'refunds',
    kind: 'refund',
    handle: (call) =>
      listOf(
        call,
        call.world.store.refunds,
        'refund',
        ['created', 'charge', 'payment_intent'],
        (refund) => matches(call, 'charge', refund.charge) && matches(call, 'payment_intent', refund.payment_intent),
      ),
  },
  {
    method: 'get',
    path: '/v1/refunds/:id',
    resource: 'refunds',
    kind: 'refund',
    handle: retrieve((call) => call.world.store.refunds, 'refund'),
  },
  { method: 'post', path: '/v1/refunds', resource: 'refunds', kind: 'refund', handle: postRefund },
  {
    method: 'get',
    path: '/v1/disputes',
    resource: 'disputes',
    kind: 'dispute',
    handle: (call) =>
      listOf(
        call,
        call.world.store.disputes,
        'dispute',
        ['created', 'charge', 'payment_intent'],
        (dispute) => matches(call, 'charge', dispute.charge) && matches(call, 'payment_intent', dispute.payment_intent),
      ),
  },
  {
    method: 'get',
    path: '/v1/disputes/:id',
    resource: 'disputes',
    kind: 'dispute',
    handle: retrieve((call) => call.world.store.disputes, 'dispute'),
  },
];

function postRefund(call: Call): ReturnType<typeof toJson> {
  call.parameters.only(
    'amount',
    'charge',
    'currency',
    'customer',
    'instructions_email',
    'metadata',
    'origin',
    'payment_intent',
    'reason',
    'refund_application_fee',
    'reverse_transfer',
  );
  const charge = refundedCharge(call);
  const left = charge.amount_captured - charge.amount_refunded;
  if (!charge.captured || !charge.paid)
    throw invalidRequest(`Charge ${charge.id} has no captured amount to refund.`, 'charge');
  if (left <= 0) {
    throw invalidRequest(`Charge ${charge.id} has already been refunded.`, undefined, 'charge_already_refunded');
  }
  const amount = call.parameters.whole('amount') ?? left;
  if (amount < 1) throw invalidRequest('Invalid positive integer', 'amount', 'parameter_invalid_integer');
  if (amount > left) {
    throw invalidRequest(`Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`, 'amount');
  }
  const { refundId } = createRefund(call.world, {
    charge,
    amount,
    status: charge.payment_method_details?.type === 'card' ? 'succeeded' : 'pending',
    reason: call.parameters.oneOf('reason', REASONS) ?? null,
    metadata: call.parameters.metadata(),
    request: { id: call.requestId, idempotency_key: call.idempotencyKey },
  });
  return toJson(find(call, call.world.store.refunds, 'refund', refundId).value);
}

function refundedCharge(call: Call): Charge {
  const { store } = call.world;
  const intentId = call.parameters.text('payment_intent');
  const chargeId = call.parameters.text('charge');
  if (intentId === undefined && chargeId === undefined) {
    throw invalidRequest('One of the following params should be provided for this request: payment_intent or charge.');
  }
  const intent = intentId === undefined ? undefined : store.paymentIntents.entry(intentId);
  if (intentId !== undefined && intent?.account !== call.account) {
    throw resourceMissing('payment_intent', intentId, 'payment_intent', 404);
  }
  const id = chargeId ?? intent?.value.latest_charge ?? '';
  const charge = store.charges.entry(id);
  if (charge === undefined || charge.account !== call.account) throw resourceMissing('charge', id, 'charge', 404);
  return charge.value;
}
