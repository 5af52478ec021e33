import type { HeldBack, Outcome } from '@bridge/effects';
import { FileMakerError } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { PoolError, type SessionPool } from '@bridge/session-pool';

/** While a person or a probe has to act first, rows look again so often. */
const STANDSTILL_MS = 1_000;
/** After 812 or 956: long enough for somebody's session to end. */
const FULL_SERVER_MS = 5_000;
const SCRIPT_HALTS: ReadonlySet<string> = new Set(['script-missing', 'layout-missing', 'field-missing']);

/** What becomes of the session after a call that failed. */
export function sessionAfter(error: unknown): 'idle' | 'quarantine' | 'gone' {
  if (!(error instanceof FileMakerError)) return 'quarantine';
  return ({ keep: 'idle', drop: 'gone', quarantine: 'quarantine' } as const)[error.session];
}

/** Writes down what a failure means for everybody: a circuit that opens, a halt that a person has to lift. */
export async function tellGates(
  gates: Gates,
  error: FileMakerError,
  scope: { script: string; worker: string },
): Promise<void> {
  if (error.circuit) await gates.openCircuit('filemaker', error.message);
  if (error.halt !== undefined) {
    const closed = SCRIPT_HALTS.has(error.halt) ? `script:${scope.script}` : 'filemaker';
    await gates.halt(closed, error.code, error.message, scope.worker);
  }
}

/**
 * The outcome of a sending that ended in an error of the client. The client's `resend` is the word that counts: it knows
 * which calls have no effect, and that a create with a script may have run it although the create itself was refused.
 * `refusals` in a row so far: a forgotten session is replaced at once the first time only.
 */
export function outcomeOf(error: unknown, refusals: number): Outcome {
  if (!(error instanceof FileMakerError))
    return {
      kind: 'unknown',
      code: 'FILEMAKER_CALL_FAILED',
      message: error instanceof Error ? error.name : 'unknown error',
    };
  const { code, message, resend } = error;
  if (resend === 'check') return { kind: 'unknown', code, message };
  // A fault that meets every call costs this effect nothing: it waits until the fault is gone.
  if (error.halt !== undefined || error.circuit)
    return { kind: 'refused', code, message, again: true, costs: false, afterMs: STANDSTILL_MS };
  // A full server is no fault of this effect: it waits and burns no attempt.
  if (code === 'FILEMAKER_CAPACITY')
    return { kind: 'refused', code, message, again: true, costs: false, afterMs: FULL_SERVER_MS };
  if (resend === 'no') return { kind: 'refused', code, message, again: false };
  if (error.session === 'drop' && refusals === 0)
    return { kind: 'refused', code, message, again: true, costs: true, afterMs: 1 };
  if (error.stage === 'not-sent')
    return { kind: 'refused', code, message, again: true, costs: false, afterMs: STANDSTILL_MS };
  return { kind: 'refused', code, message, again: true };
}

/** A question to FileMaker that failed leaves everything as it is. */
export function waitAfter(error: unknown): HeldBack {
  if (error instanceof PoolError)
    return { kind: 'wait', afterMs: Math.max(50, error.retryAfterMs), code: error.code, message: error.message };
  if (error instanceof FileMakerError)
    return { kind: 'wait', afterMs: STANDSTILL_MS, code: error.code, message: error.message };
  throw error;
}

/** Lends a session or says how long to wait. Only an unreachable FileMaker opens the circuit: a full pool is no fault. */
export async function leaseOrWait<L>(
  lease: () => Promise<L>,
  gates: Gates,
): Promise<{ kind: 'leased'; lease: L } | HeldBack> {
  try {
    return { kind: 'leased', lease: await lease() };
  } catch (error) {
    if (error instanceof PoolError && error.code === 'POOL_UNAVAILABLE')
      await gates.openCircuit('filemaker', error.message);
    return waitAfter(error);
  }
}

/** One token that FileMaker forgot is often a restart that made it forget all. */
export async function flushAfterForgotten(
  pool: Pick<SessionPool, 'flushEpoch'>,
  error: FileMakerError,
  epoch: string,
): Promise<void> {
  if (error.code !== 'FILEMAKER_INVALID_TOKEN') return;
  try {
    await pool.flushEpoch(epoch);
  } catch (failure) {
    // Each of the others will meet its own 952; what became of this call is known and must not be lost over it.
    if (!(failure instanceof PoolError)) throw failure;
  }
}
