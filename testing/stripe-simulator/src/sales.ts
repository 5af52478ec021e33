import { completeSession } from './completion';
import { type GivenSaleOrder, saleOrderSchema } from './sale-order';
import { openSession } from './sessions';
import { saleOf } from './settlement';
import type { World } from './world';

/** The ids of what a sale made. */
export interface SaleResult {
  sessionId: string;
  /** Null while open, in subscription and setup mode, and when nothing is due. */
  paymentIntentId: string | null;
  chargeId: string | null;
  eventIds: string[];
  /** Minor units; null in setup mode. */
  amountTotal: number | null;
}

/** Makes a whole sale: a Checkout Session and, unless `open` is asked for, its payment and events. */
export function createSale(world: World, given: GivenSaleOrder): SaleResult {
  const order = saleOrderSchema.parse(given);
  return world.events.delivering(order.deliver, () => {
    const sale = openSession(world, order);
    return order.open ? resultOf(world, sale.sessionId, []) : completeSale(world, sale.sessionId);
  });
}

/** The buyer of an open Session pays. */
export function completeSale(world: World, sessionId: string): SaleResult {
  return resultOf(world, sessionId, completeSession(world, saleOf(world, sessionId).sale));
}

function resultOf(world: World, sessionId: string, eventIds: string[]): SaleResult {
  const { sale, session } = saleOf(world, sessionId);
  return {
    sessionId,
    paymentIntentId: sale.paymentIntentId,
    chargeId: sale.chargeId,
    eventIds,
    amountTotal: session.amount_total,
  };
}
