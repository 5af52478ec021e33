import { createHash } from 'node:crypto';
import type { EffectPlan } from '@bridge/effects';

/** An effect as it was shown to the person who ordered it. */
export interface ShownPlan {
  key: string;
  /** `planDigest` of what was shown. */
  digest: string;
  /** The bytes that were shown; null once they are erased: then today's go, if they mean the same. */
  body: string | null;
}

/** The bytes without what the peer fills anew at every reading. Bytes that are no JSON object stand for themselves. */
function lasting(body: string, volatile: readonly string[]): string {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return body;
  return JSON.stringify(Object.fromEntries(Object.entries(json).filter(([name]) => !volatile.includes(name))));
}

/** PostgreSQL gives a stored object back with its fields in another order. */
function inOneOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOneOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, field]) => [name, inOneOrder(field)]),
  );
}

/** SHA-256, hex, of everything about a plan that a person agrees to: what it means, where it goes, its bytes, and whether it runs. */
export function planDigest(plan: EffectPlan, volatile: readonly string[]): string {
  const agreed = {
    kind: plan.kind,
    key: plan.key,
    lane: plan.lane,
    target: inOneOrder(plan.target),
    parked: plan.parked?.reasonCode ?? null,
    body: lasting(plan.body, volatile),
    // Left out where it is not so: digests of before stay as they were.
    replaces: plan.replaces && [plan.replaces.attempts, plan.replaces.what],
  };
  return createHash('sha256').update(JSON.stringify(agreed)).digest('hex');
}

/** Whether these plans are exactly those that were shown, neither more nor fewer. */
export function isAsShown(
  plans: readonly EffectPlan[],
  shown: readonly ShownPlan[],
  volatile: readonly string[],
): boolean {
  const digests = new Map(shown.map(({ key, digest }) => [key, digest]));
  return plans.length === digests.size && plans.every((plan) => digests.get(plan.key) === planDigest(plan, volatile));
}
