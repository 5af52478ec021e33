import { renderRefund } from './objects/refund';
import { SimulatorError } from './simulator-error';
import type { EventRecord, Owner } from './store';
import type { Charge, EventType, Refund, RefundStatus } from './wire';
import type { World } from './world';

export interface RefundDraft {
  charge: Charge;
  /** Minor units. */
  amount: number;
  status: RefundStatus;
  reason: Refund['reason'];
  metadata: Record<string, string>;
  request?: EventRecord['request'];
}

export interface RefundResult {
  refundId: string;
  eventIds: string[];
}

/** A refund begins: refund.created, and charge.refunded with the charge's running sum (Stripe: refund webhooks, 2024-10-28). */
export function createRefund(world: World, draft: RefundDraft): RefundResult {
  const { charge } = draft;
  const created = world.clock.nowSeconds();
  const owner = ownerOf(world, charge.id);
  const refund = renderRefund({
    id: world.ids.numbered('re', 3),
    charge,
    amount: draft.amount,
    status: draft.status,
    reason: draft.reason,
    metadata: draft.metadata,
    balanceTransaction: world.ids.numbered('txn', 3),
    created,
  });
  world.store.refunds.add(refund, owner, created);
  const failedAtOnce = draft.status === 'failed' || draft.status === 'canceled';
  if (!failedAtOnce) addToCharge(charge, draft.amount);
  const request = draft.request === undefined ? {} : { request: draft.request };
  const eventIds = world.events.record({ type: 'refund.created', object: refund, ...request }, owner, created);
  if (!failedAtOnce) {
    eventIds.push(...world.events.record({ type: 'charge.refunded', object: charge, ...request }, owner, created));
  }
  return { refundId: refund.id, eventIds };
}

/** The refund moves on (pending to succeeded, say): refund.updated, and charge.refund.updated as its older name. */
export function updateRefund(world: World, refundId: string, status: RefundStatus): RefundResult {
  return changeRefund(world, refundId, status, ['refund.updated', 'charge.refund.updated']);
}

/** The refund failed and the money came back to the shop: refund.failed, refund.updated; the charge's sum falls again. */
export function failRefund(world: World, refundId: string, reason: string): RefundResult {
  return changeRefund(world, refundId, 'failed', ['refund.failed', 'refund.updated', 'charge.refund.updated'], reason);
}

function changeRefund(
  world: World,
  refundId: string,
  status: RefundStatus,
  types: EventType[],
  failureReason?: string,
): RefundResult {
  const entry = world.store.refunds.entry(refundId);
  if (entry === undefined) throw new SimulatorError(`No refund ${refundId}`, 404);
  const refund = entry.value;
  const charge = world.store.charges.get(refund.charge ?? '');
  if (charge === undefined) throw new SimulatorError(`Refund ${refundId} has no charge`);
  const before = { status: refund.status };
  if (counts(refund.status) && !counts(status)) addToCharge(charge, -refund.amount);
  if (!counts(refund.status) && counts(status)) addToCharge(charge, refund.amount);
  refund.status = status;
  if (status !== 'pending') delete refund.pending_reason;
  if (status === 'succeeded') refund.balance_transaction ??= world.ids.numbered('txn', 3);
  if (status === 'failed') {
    refund.failure_reason = failureReason ?? 'unknown';
    refund.failure_balance_transaction = world.ids.numbered('txn', 3);
  }
  const at = world.clock.nowSeconds();
  const eventIds = types.flatMap((type) =>
    world.events.record({ type, object: refund, previousAttributes: before }, entry, at),
  );
  return { refundId, eventIds };
}

function counts(status: RefundStatus): boolean {
  return status !== 'failed' && status !== 'canceled';
}

function addToCharge(charge: Charge, amount: number): void {
  charge.amount_refunded += amount;
  charge.refunded = charge.amount_refunded === charge.amount_captured && charge.amount_captured > 0;
}

function ownerOf(world: World, chargeId: string): Owner {
  return world.store.charges.entry(chargeId) ?? { account: null, livemode: false };
}
