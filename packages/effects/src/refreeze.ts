import { type Executor, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { ClaimedEffect, CrossCheck, EffectPlan, EffectState } from './effect';

/** How an effect stands whose meaning a person wants to correct. */
export interface CorrectableEffect {
  id: string;
  state: EffectState;
  /** Sendings so far. */
  attempts: number;
  /** A worker is at it. */
  inHand: boolean;
  /** A sending did not end with "surely nothing was done". */
  mayHaveRun: boolean;
  /** Where and how, as it was frozen. */
  target: unknown;
}

/** Locked: nobody claims, releases or settles it until the transaction ends. */
export async function lockForCorrection(tx: Executor, key: string): Promise<CorrectableEffect | undefined> {
  const row = await oneRow<Omit<CorrectableEffect, 'mayHaveRun'>>(
    tx,
    sql`select id, state, attempts, claimed_by is not null as "inHand", target
        from effects.effects where key = ${key} for update`,
  );
  if (row === undefined) return undefined;
  // Asked once the row is locked: no attempt can begin or end unseen in between.
  const sent = await oneRow<{ unsure: boolean }>(
    tx,
    sql`select exists (select 1 from effects.attempts where effect_id = ${row.id} and purpose = 'send'
          and verdict is distinct from 'refused') as unsure`,
  );
  return { ...row, mayHaveRun: sent?.unsure ?? true };
}

/**
 * Gives the effect that stands under this key another body and place. It stays one row under one key, so that no
 * correction can make two of it, and it begins with a question to the peer. What may only be asked about stays so.
 * Undefined: it is in hand, or has been sent, settled or decided meanwhile, and stays as it is.
 */
export function refreezeEffect(
  tx: Executor,
  plan: EffectPlan & { replaces: { attempts: number; what: string } },
): Promise<{ id: string; run: number } | undefined> {
  const subject = { ...plan.subject, corrected: { attempts: plan.replaces.attempts } };
  // The number of the claim is raised: what a worker that was taken for dead still writes about the old bytes counts no more.
  return oneRow<{ id: string; run: number }>(
    tx,
    sql`update effects.effects set lane = ${plan.lane}, title = ${plan.title}, target = ${JSON.stringify(plan.target)}::jsonb,
          body = ${Buffer.from(plan.body, 'utf8')}, subject = ${JSON.stringify(subject)}::jsonb, check_first = true,
          state = ${plan.parked === undefined ? 'planned' : 'parked'}, reason_code = ${plan.parked?.reasonCode ?? null},
          reason = ${plan.parked?.reason ?? null}, refusals = 0, due_at = clock_timestamp(), run = run + 1, queued_at = null,
          claim_no = nextval('claims.claim_no')
        where key = ${plan.key} and kind = ${plan.kind} and state in ('planned', 'parked') and claimed_by is null
          and attempts = ${plan.replaces.attempts}
          and not exists (select 1 from effects.attempts a where a.effect_id = effects.effects.id and a.purpose = 'send'
            and a.verdict is distinct from 'refused')
        returning id, run`,
  );
}

/**
 * What the peer tells about an effect that was corrected and not sent since is about what it meant before: a database that
 * was restored from a backup does not know what has run. It proves nothing for the new meaning, and a person looks.
 */
export function ofTheseBytes({ subject, attempts }: ClaimedEffect, told: CrossCheck): CrossCheck {
  if (told.kind !== 'there' || subject.corrected?.attempts !== attempts) return told;
  return {
    kind: 'park',
    code: 'DONE_BEFORE_CORRECTION',
    message: 'It has run already, from before its invoice was changed',
  };
}
