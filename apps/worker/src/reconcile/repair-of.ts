import type { TurnEnding } from '@bridge/effects';
import type { Repair } from '@bridge/reconciliation';

/**
 * What an effect's turn has put right: the object that a replay had brought back, when its change has come to its end.
 * Undefined: it has not, or it came by a webhook, about which no finding can say that it was missed. Pure.
 */
export function repairOf(ending: TurnEnding): Repair | undefined {
  if (ending.kind !== 'done' || !ending.effect.checkFirst) return undefined;
  const { flow, plannedAt, subject } = ending.effect;
  const objectId = subject.refundId ?? subject.disputeId ?? subject.checkoutSessionId;
  return objectId === undefined ? undefined : { flow, objectId, plannedAt };
}
