import type { Executor } from '@bridge/database';
import type { RecordedFact } from '@bridge/flow';
import { nextForParkedEvent } from '../resolve/next-for-parked';
import { type EffectStanding, readEffectStandings, readParkedReasons } from '../tables/read-proof-tables';
import type { Standing } from './day-contents';

/** Where a payment stands, why, and what to type next. */
export interface PaymentStanding {
  standing: Standing;
  code: string | null;
  reason: string | null;
  next: string | null;
}

function ofEffect(effect: EffectStanding): PaymentStanding {
  const why = { code: effect.reasonCode, reason: effect.reason };
  const settled = (standing: Standing): PaymentStanding => ({ standing, code: null, reason: null, next: null });
  switch (effect.state) {
    case 'done':
      return settled(effect.verified === true ? 'verified' : 'unverified');
    case 'cancelled':
      return settled('cancelled');
    case 'parked':
      return { standing: 'parked', ...why, next: `./bridge effects show ${effect.id}` };
    default:
      return { standing: 'waiting', ...why, next: `./bridge effects show ${effect.id}` };
  }
}

/** Pure: of a payment whose money has come. */
export function standingOf(
  fact: Pick<RecordedFact, 'id' | 'parkedCode' | 'parkedEvent'>,
  effect: EffectStanding | undefined,
  parked: { id: string; reason: string | null } | undefined,
): PaymentStanding {
  if (effect !== undefined) return ofEffect(effect);
  if (fact.parkedCode === null) {
    const reason = 'It is recorded as paid, and nothing was planned for it';
    return { standing: 'parked', code: 'NO_EFFECT', reason, next: `./bridge prove ${fact.id}` };
  }
  const next =
    parked === undefined
      ? `./bridge prove ${fact.id}`
      : nextForParkedEvent({ id: parked.id, reasonCode: fact.parkedCode, objectId: fact.id });
  return { standing: 'parked', code: fact.parkedCode, reason: parked?.reason ?? null, next };
}

/** The key of the effect that applies the payment itself. */
export const ownKey = (fact: Pick<RecordedFact, 'effectKeys'>): string | null => fact.effectKeys[0] ?? null;

/** Standings of many payments with two questions. By the fact's id. */
export async function readStandings(
  executor: Executor,
  facts: readonly RecordedFact[],
): Promise<Map<string, PaymentStanding>> {
  const keys = facts.map(ownKey).filter((key) => key !== null);
  const events = facts.map(({ parkedEvent }) => parkedEvent).filter((id) => id !== null);
  const effects = await readEffectStandings(executor, keys);
  const parked = await readParkedReasons(executor, events);
  return new Map(
    facts.map((fact) => [
      fact.id,
      standingOf(fact, effects.get(ownKey(fact) ?? ''), parked.get(fact.parkedEvent ?? '')),
    ]),
  );
}
