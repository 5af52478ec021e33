import type { RoadOptions } from '@bridge/flow';
import { findReplayOrder, isReplayEvent } from '@bridge/operations';
import { orderOfPlan } from './look-at-payments';

/** For the road: the order that goes with an operator's event, and what was shown when it was given. */
export function createOrderOf(): NonNullable<RoadOptions['orderOf']> {
  return async (executor, eventId) => {
    const row = await findReplayOrder(executor, eventId);
    if (row === undefined) return isReplayEvent(eventId) ? 'gone' : undefined;
    return { order: orderOfPlan(row.planId, row.args), shown: row.shown };
  };
}
