import type { Database } from '@bridge/database';
import { type HeldBack, listUnsent, type UnsentEffect } from '@bridge/effects';
import type { Comparison } from '@bridge/reconciliation';
import type { Asked, FindQuestion, FindTold } from './performers/batched-find';
import { FILEMAKER_SCRIPT, scriptTargetSchema } from './performers/script-target';

/** As many as one find takes. */
const PAGE = 50;
const PAGES_MAX = 2_000;
const DIFFERING_TOLD = 20;

export type ComparedEnding =
  | { kind: 'compared'; comparison: Omit<Comparison, 'at'> }
  /** FileMaker cannot be asked now. */
  | { kind: 'held-back'; held: HeldBack };

type Seen = 'shown' | 'not-shown' | 'cannot-tell';
type Find = (question: FindQuestion) => Promise<Asked<FindTold>>;

/**
 * What the bridge would have done, beside what FileMaker shows: for each effect that was planned while observing, the
 * kit's log is asked for its key, and the company's own field for the payment's id. It only finds; nothing is planted,
 * written or run, and no effect changes.
 */
export async function compareObserved(options: { database: Database; find: Find }): Promise<ComparedEnding> {
  const counts: Record<Seen, number> = { shown: 0, 'not-shown': 0, 'cannot-tell': 0 };
  const differing: Comparison['differing'] = [];
  let after = '0';
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const effects = await listUnsent(options.database, { after, limit: PAGE });
    const last = effects.at(-1);
    if (last === undefined) break;
    after = last.id;
    const seen = await Promise.all(effects.map((effect) => look(options.find, effect)));
    for (const [index, one] of seen.entries()) {
      if (typeof one !== 'string') return { kind: 'held-back', held: one };
      counts[one] += 1;
      const effect = effects[index];
      if (one === 'not-shown' && effect !== undefined && differing.length < DIFFERING_TOLD)
        differing.push({ effectId: effect.id, title: effect.title });
    }
  }
  const { shown, 'not-shown': notShown, 'cannot-tell': cannotTell } = counts;
  return {
    kind: 'compared',
    comparison: { compared: shown + notShown + cannotTell, shown, notShown, cannotTell, differing },
  };
}

async function look(find: Find, effect: UnsentEffect): Promise<Seen | HeldBack> {
  const target = effect.kind === FILEMAKER_SCRIPT ? scriptTargetSchema.safeParse(effect.target).data : undefined;
  if (target === undefined) return 'cannot-tell';
  const { log, probe, script } = target;
  let seen: Seen = 'cannot-tell';
  // The company's own field first: an older handler knows nothing of our keys.
  if (probe?.proves === true) {
    const { layout, field, value } = probe;
    const asked = await find({ layout, field, value, sentinel: null, script, waitedMs: 0 });
    if (asked.kind !== 'asked') return asked.held;
    if (asked.value.rows.length > 0) return 'shown';
    seen = 'not-shown';
  }
  if (log !== null) {
    const { layout, keyField: field, stateField } = log;
    const asked = await find({ layout, field, value: effect.key, sentinel: null, script, waitedMs: 0 });
    if (asked.kind !== 'asked') return asked.held;
    if (asked.value.rows.some((row) => String(row.fieldData[stateField] ?? '') === 'done')) return 'shown';
    seen = 'not-shown';
  }
  return seen;
}
