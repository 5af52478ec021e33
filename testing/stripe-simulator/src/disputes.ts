import { renderDispute } from './objects/dispute';
import { paymentOf, saleOf } from './settlement';
import { SimulatorError } from './simulator-error';
import type { DisputeStatus, EventType } from './wire';
import type { World } from './world';

export interface DisputeResult {
  disputeId: string;
  eventIds: string[];
}

/** The buyer's bank disputes the charge: charge.dispute.created, and funds_withdrawn unless it is only a warning. */
export function openDispute(
  world: World,
  sessionId: string,
  given: { amount?: number | undefined; reason: string; status: DisputeStatus },
): DisputeResult {
  const { sale, charge } = paymentOf(world, sessionId);
  if (!charge.paid) throw new SimulatorError(`${charge.id} is not paid`);
  const created = world.clock.nowSeconds();
  const dispute = renderDispute({
    id: world.ids.numbered('du', 1),
    charge,
    amount: given.amount ?? charge.amount,
    reason: given.reason,
    status: given.status,
    created,
  });
  charge.disputed = true;
  world.store.disputes.add(dispute, sale.owner, created);
  const types: EventType[] = given.status.startsWith('warning_')
    ? ['charge.dispute.created']
    : ['charge.dispute.created', 'charge.dispute.funds_withdrawn'];
  const eventIds = types.flatMap((type) => world.events.record({ type, object: dispute }, sale.owner, created));
  return { disputeId: dispute.id, eventIds };
}

/** The newest dispute of the sale ends: charge.dispute.closed, after funds_reinstated when it was won. */
export function closeDispute(world: World, sessionId: string, status: DisputeStatus): DisputeResult {
  const { sale } = saleOf(world, sessionId);
  const entry = world.store.disputes.newestFirst().find(({ value }) => value.charge === sale.chargeId);
  if (entry === undefined) throw new SimulatorError(`Session ${sessionId} has no dispute`, 404);
  const dispute = entry.value;
  const previousAttributes = { status: dispute.status };
  dispute.status = status;
  const at = world.clock.nowSeconds();
  const types: EventType[] =
    status === 'won' ? ['charge.dispute.funds_reinstated', 'charge.dispute.closed'] : ['charge.dispute.closed'];
  const eventIds = types.flatMap((type) =>
    world.events.record({ type, object: dispute, previousAttributes }, sale.owner, at),
  );
  return { disputeId: dispute.id, eventIds };
}
