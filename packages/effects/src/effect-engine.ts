import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from './backoff';
import type { ClaimedEffect, HeldBack, Outcome, Performer, PreparedSending } from './effect';
import { EffectClaimLostError, EffectLaneBusyError, type EndedAttempt } from './effect-life';
import type { EffectStore } from './effect-store';
import { BEFORE_GO_LIVE } from './go-live';
import { ofTheseBytes } from './refreeze';

/** After so long between plan and first sending, the money is looked at again. */
const RECHECK_AFTER_MS = 10 * 60_000;
/** Refusals in a row that may be tried again; then a person looks. About a day at the longest back-off. */
export const REFUSALS_MAX = 1_440;
/** Until the other effect of the lane has probably ended. */
const LANE_BUSY_MS = 2_000;

/** Sendings lost one after the other and proved not there: from here on the next one waits, longer each time. */
const LOST_MANY = 3;

/** For a word that nobody else will ever hear: as long as a failover of PostgreSQL takes. */
const INSIST_TRIES = 30;
const INSIST_EVERY_MS = 1_000;

/** How one turn with an effect ended, for the job, the log and the metrics. */
export type TurnEnding =
  /** `next`: somebody waits in its lane. */
  | { kind: 'done'; verified: boolean; effect: ClaimedEffect; next: boolean }
  | { kind: 'refused' | 'unknown' | 'waiting'; code: string; message: string; afterMs: number; effect: ClaimedEffect }
  | { kind: 'parked'; code: string; message: string; effect: ClaimedEffect | null }
  | { kind: 'nothing'; because: string; dueInMs?: number };

/** What may stand in a row that people read: an error's message could quote a peer's answer or a statement's values. */
function nameOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return error instanceof Error ? `${error.name}${code}` : 'unknown error';
}

/** `worker` is the id of the registration whose heartbeat the claims hang on. */
export interface EffectEngineOptions {
  store: EffectStore;
  worker: string;
  performers: readonly Performer[];
  /** What keeps these scopes closed now, and when to look again: the first reason, or undefined. */
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string; afterMs: number } | undefined>;
  /** 0 to 1. */
  random?: () => number;
  /** Called at every turn's end with durations; must not throw. */
  onTurn?: (turn: { ending: TurnEnding; durationMs: number }) => void;
}

/** A turn of an effect that was only just planned, which nobody else has heard of yet. */
export interface EarlyTurn {
  /** Its kind: what its sending waits for is asked for together with the claim. */
  kind: string;
  /** Called once its first byte is on its way; not at all where nothing is sent. Must not throw. */
  onSending(): void;
}

/** Moves effects through their life, one turn at a time. */
export interface EffectEngine {
  /** One turn: claim, ask if needed, lease, begin, send, give back, settle. Never throws for what a peer does. */
  turn(effectId: string, early?: EarlyTurn): Promise<TurnEnding>;
  /** Ids that this process has begun to claim and not finished with. */
  inHand(): string[];
}

const NOT_SHOWN: HeldBack = {
  kind: 'park',
  code: BEFORE_GO_LIVE,
  message: 'The money is from before the bridge went live, and nothing shows that it was handled then',
};

/** Tries a write until PostgreSQL has taken it or refused it, or `INSIST_TRIES` have failed; then it throws the last error. */
async function insisting(write: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (tries >= INSIST_TRIES) throw error;
      await delay(INSIST_EVERY_MS);
    }
  }
}

const CLAIM_LOST: TurnEnding = { kind: 'nothing', because: 'the claim was lost' };

/** Joins the store with the performers. Starts nothing by itself: whoever has a job for an effect calls `turn`. */
export function createEffectEngine(options: EffectEngineOptions): EffectEngine {
  const { store, worker } = options;
  const random = options.random ?? Math.random;
  const performerOf = new Map(options.performers.map((performer) => [performer.kind, performer]));

  async function holdBack(effect: ClaimedEffect, held: HeldBack, attempt?: EndedAttempt): Promise<TurnEnding> {
    if (held.kind === 'park') {
      if (!(await store.park(effect, held, attempt))) return CLAIM_LOST;
      return { kind: 'parked', code: held.code, message: held.message, effect };
    }
    if (!(await store.release(effect, held, attempt))) return CLAIM_LOST;
    return { kind: 'waiting', code: held.code, message: held.message, afterMs: held.afterMs, effect };
  }

  /** Settles an unknown effect by asking. Undefined: it is proved not there and may be sent now. */
  async function ask(effect: ClaimedEffect, performer: Performer): Promise<TurnEnding | undefined> {
    const { attemptId } = await store.beginCrossCheck(effect, worker);
    const answer = await performer.crossCheck(effect).catch(async (error: Error) => {
      await store.endAttempt(attemptId, {
        stage: null,
        code: 'CROSS_CHECK_FAILED',
        verdict: 'wait',
        detail: nameOf(error),
      });
      throw error;
    });
    const told = ofTheseBytes(effect, answer);
    if (told.kind === 'there') {
      const record = { stage: 'answered', code: null, verdict: 'there', detail: null } as const;
      const done = { verified: true, result: told.result };
      const settled = await store.settleDone(effect, done, { attemptId, record });
      return settled.lost ? CLAIM_LOST : { kind: 'done', verified: true, effect, next: settled.next };
    }
    if (told.kind === 'not-there') {
      const record = { stage: 'answered', code: null, verdict: 'not-there', detail: null } as const;
      if (effect.askOnly) return holdBack(effect, NOT_SHOWN, { attemptId, record });
      if (!(await store.provedNotThere(effect, { attemptId, record }))) return CLAIM_LOST;
      if (effect.attempts < LOST_MANY) return undefined;
      const afterMs = backoffMs(effect.attempts, random());
      return holdBack(effect, {
        kind: 'wait',
        afterMs,
        code: 'LOST_AGAIN',
        message: 'Its answer was lost several times',
      });
    }
    const verdict = told.kind === 'park' ? 'parked' : 'wait';
    const record = { stage: null, code: told.code, verdict, detail: told.message } as const;
    return holdBack(effect, told, { attemptId, record });
  }

  async function settle(
    effect: ClaimedEffect,
    { attemptId, sending }: { attemptId: string; sending: number },
    outcome: Outcome,
  ): Promise<TurnEnding> {
    if (outcome.kind === 'done') {
      const record = { stage: 'answered', code: null, verdict: 'done', detail: null } as const;
      const settled = await store.settleDone(effect, outcome, { attemptId, record });
      if (!settled.lost) return { kind: 'done', verified: outcome.verified, effect, next: settled.next };
      const late = await store.settleLate(effect.id, sending, outcome);
      return late ? { kind: 'done', verified: outcome.verified, effect, next: true } : CLAIM_LOST;
    }
    const { code, message } = outcome;
    if (outcome.kind === 'unknown') {
      const record = {
        stage: outcome.answered === true ? 'answered' : 'unheard',
        code,
        verdict: 'unknown',
        detail: message,
      } as const;
      if (!(await store.settleUnknown(effect, { code, message }, { attemptId, record }))) return CLAIM_LOST;
      return { kind: 'unknown', code, message, afterMs: 1_000, effect };
    }
    if (outcome.kind === 'parked') {
      // Not "refused": nobody may take it for surely undone, and send it under another meaning.
      const record = { stage: 'answered', code, verdict: 'parked', detail: message } as const;
      const written = async (): Promise<boolean> =>
        (await store.park(effect, { code, message }, { attemptId, record })) ||
        (await store.parkLate(effect.id, sending, { code, message }));
      // Forgotten, it would be asked about and sent again.
      return (await insisting(written)) ? { kind: 'parked', code, message, effect } : CLAIM_LOST;
    }
    const costs = outcome.costs ?? true;
    const record = { stage: 'refused', code, verdict: 'refused', detail: message } as const;
    const attempt = { attemptId, record };
    if (!outcome.again || (costs && effect.refusals + 1 >= REFUSALS_MAX)) {
      if (!(await store.park(effect, { code, message }, attempt))) return CLAIM_LOST;
      return { kind: 'parked', code, message, effect };
    }
    const afterMs = outcome.afterMs ?? backoffMs(effect.refusals + 1, random());
    if (!(await store.settleRefused(effect, { code, message, afterMs, costs }, attempt))) return CLAIM_LOST;
    return { kind: 'refused', code, message, afterMs, effect };
  }

  async function send(effect: ClaimedEffect, prepared: PreparedSending, onSending: () => void): Promise<TurnEnding> {
    let outcome: Outcome | null = null;
    let released: Promise<void> | undefined;
    try {
      const begun = await store.begin(effect, worker, prepared.sessionId);
      try {
        const sending = prepared.send();
        onSending();
        outcome = await sending;
      } catch (error) {
        outcome = { kind: 'unknown', code: 'PERFORMER_FAILED', message: nameOf(error) };
      }
      // Not after the commit: whoever waits for the session waits for nothing that this effect still has to do.
      released = prepared.release(outcome);
      return await settle(effect, begun, outcome);
    } catch (error) {
      if (outcome !== null) throw error;
      if (error instanceof EffectClaimLostError) return CLAIM_LOST;
      if (!(error instanceof EffectLaneBusyError)) throw error;
      return await holdBack(effect, { kind: 'wait', afterMs: LANE_BUSY_MS, code: error.code, message: error.message });
    } finally {
      released ??= prepared.release(outcome);
      await released;
    }
  }

  async function turn(
    effectId: string,
    prepare: (performer: Performer, effect: ClaimedEffect) => Promise<PreparedSending | HeldBack>,
    onSending: () => void,
  ): Promise<TurnEnding> {
    const claim = await store.claim(effectId, worker);
    if (claim.kind === 'parked') return { kind: 'parked', code: claim.reasonCode, message: claim.reason, effect: null };
    if (claim.kind === 'nothing') {
      return {
        kind: 'nothing',
        because: claim.because,
        ...(claim.dueInMs === undefined ? {} : { dueInMs: claim.dueInMs }),
      };
    }
    const { effect } = claim;
    const performer = performerOf.get(effect.kind);
    if (performer === undefined) {
      return holdBack(effect, {
        kind: 'park',
        code: 'NO_PERFORMER',
        message: `Nothing here performs effects of kind ${effect.kind}`,
      });
    }
    try {
      const closed = await options.closedBecause(performer.scopes(effect));
      if (closed !== undefined)
        return await holdBack(effect, {
          kind: 'wait',
          afterMs: closed.afterMs,
          code: closed.cause,
          message: closed.detail,
        });
      if (effect.state === 'unknown' || effect.checkFirst || effect.askOnly) {
        const ended = await ask(effect, performer);
        if (ended !== undefined) return ended;
      }
      // Also before a sending is repeated long after: the money may have gone back while the answer was out.
      const lastLookMs = effect.sinceSentMs ?? effect.sincePlannedMs;
      if (lastLookMs > RECHECK_AFTER_MS) {
        const checked = await performer.recheck(effect);
        if (checked.kind !== 'fine') return await holdBack(effect, checked);
      }
      const prepared = await prepare(performer, effect);
      return prepared.kind === 'ready' ? await send(effect, prepared, onSending) : await holdBack(effect, prepared);
    } catch (error) {
      // Nothing was sent, or sending is written down already and the claim's death will turn it into unknown.
      await store.release(effect, {
        afterMs: backoffMs(effect.refusals + 1, random()),
        code: 'TURN_FAILED',
        message: nameOf(error),
      });
      throw error;
    }
  }

  const inHand = new Map<string, number>();
  const count = (effectId: string, by: 1 | -1): void => {
    const turns = (inHand.get(effectId) ?? 0) + by;
    if (turns === 0) inHand.delete(effectId);
    else inHand.set(effectId, turns);
  };

  return {
    inHand: () => [...inHand.keys()],
    turn: async (effectId, early) => {
      const began = performance.now();
      count(effectId, 1);
      const reservation = early && performerOf.get(early.kind)?.reserve?.();
      let taken = false;
      const prepare = (performer: Performer, effect: ClaimedEffect): Promise<PreparedSending | HeldBack> => {
        if (reservation === undefined) return performer.prepare(effect);
        taken = true;
        return reservation.prepare(effect);
      };
      try {
        const ending = await turn(effectId, prepare, early?.onSending ?? (() => undefined));
        options.onTurn?.({ ending, durationMs: performance.now() - began });
        return ending;
      } finally {
        if (!taken) await reservation?.drop();
        count(effectId, -1);
      }
    },
  };
}
