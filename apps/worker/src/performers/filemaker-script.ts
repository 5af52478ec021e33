import type { ClaimedEffect, HeldBack, Outcome, Performer, PreparedSending } from '@bridge/effects';
import {
  exactly,
  type FileMakerClient,
  FileMakerError,
  type FoundRecord,
  judgeScriptAnswer,
  type ScriptAnswer,
} from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { type LeaseRelay, type LeaseTurn, PoolError, type SessionPool } from '@bridge/session-pool';
import { createAskFileMaker } from './ask-filemaker';
import { codeWord } from './code-word';
import { flushAfterForgotten, leaseOrWait, outcomeOf, sessionAfter, tellGates } from './filemaker-failure';
import { FILEMAKER_SCRIPT, type ScriptTarget, scriptTargetSchema } from './script-target';
import { writeSessionReference } from './session-reference';

export interface FileMakerScriptOptions {
  client: Pick<FileMakerClient, 'runScript' | 'createRecord' | 'find'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'stillMine' | 'ask' | 'flushEpoch'>;
  /** Lends for scripts; cross-checks go to the pool itself. */
  relay: LeaseRelay;
  gates: Gates;
  worker: string;
  sentinelKey: string;
  /** Counted from when a sending was written down: with the time that may pass from then to the first byte of its first call. */
  scriptMaxMs: number;
  /** Longest a call can take. Added where the script is not the first call. */
  callMaxMs: number;
  /** How long a job waits for a session before it goes back to the queue. */
  leaseWaitMs: number;
  /** Whether the money of a payment is still there, asked when the first sending comes late. */
  recheckCharge(chargeId: string): Promise<{ kind: 'fine' } | HeldBack>;
}

/** Fields of the hand-off layout; the script kit has the same. */
const HANDOFF_KEY = 'idempotency_key';
const HANDOFF_PAYLOAD = 'payload';
const FOUND_MAX = 5;
/** The script's own end was heard: nothing of it runs any more. */
const ENDED: ReadonlySet<string> = new Set(['SCRIPT_ERROR', 'SCRIPT_PARTLY_RUN']);

/**
 * Only a person can take the record away: the kit's account may neither change nor delete what it has handed over, and the
 * kit's script takes no other record than the one that bears the effect's own key.
 */
const oldHandoff = ({ id, key }: ClaimedEffect, layout: string | null): Outcome => ({
  kind: 'refused',
  code: 'HANDOFF_OLD',
  message: `The hand-off record of an earlier sending, which surely ran nothing, still holds the invoice from before the correction. In FileMaker, on the layout ${layout ?? 'of the hand-off table'}, find the record whose ${HANDOFF_KEY} is ${key} and delete that one record. Then: ./bridge effects resolve ${id} --as again --why "hand-off record deleted"`,
  again: false,
});

const invoiceOf = (payload: string): unknown => {
  try {
    return (JSON.parse(payload) as { invoice_id?: unknown } | null)?.invoice_id;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

/** Unreadable counts as another one: nothing is run on a guess. */
function isForSameInvoice(record: FoundRecord, { body }: ClaimedEffect): boolean {
  const [there, ours] = [invoiceOf(String(record.fieldData[HANDOFF_PAYLOAD] ?? '')), invoiceOf(body)];
  return ours !== undefined && there === ours;
}

/** Runs a FileMaker script for an effect, at most once at a time, and asks FileMaker when an answer was lost. */
export function createFileMakerScriptPerformer(options: FileMakerScriptOptions): Performer {
  const { client, pool, relay, gates, worker } = options;
  const ask = createAskFileMaker(options);
  const targetOf = (effect: { target: unknown }): ScriptTarget => scriptTargetSchema.parse(effect.target);

  /** The parameter that names a hand-off record instead of carrying the payload. */
  const handoffParameter = (effect: ClaimedEffect): string => JSON.stringify({ handoff: effect.key });

  async function callByHandoff(
    token: string,
    effect: ClaimedEffect,
    target: ScriptTarget,
    layout: string,
  ): Promise<ScriptAnswer | 'old-handoff'> {
    const parameter = handoffParameter(effect);
    if (effect.attempts > 0) {
      // An earlier sending may have left the record: a second one would be a second order for whoever reads that layout.
      const { records } = await client.find(token, {
        layout,
        query: [{ [HANDOFF_KEY]: exactly(effect.key) }],
        limit: FOUND_MAX,
      });
      const earlier = records.find((record) => String(record.fieldData[HANDOFF_KEY] ?? '') === effect.key);
      if (earlier !== undefined) {
        // Its number was corrected since: the script would read the old one out of the record.
        const old = effect.subject.corrected !== undefined && !isForSameInvoice(earlier, effect);
        if (old) return 'old-handoff';
        return client.runScript(token, { layout: target.layout, script: target.script, parameter });
      }
    }
    const created = await client.createRecord(token, {
      layout,
      fieldData: { [HANDOFF_KEY]: effect.key, [HANDOFF_PAYLOAD]: effect.body },
      script: target.script,
      parameter,
    });
    return created.script ?? { scriptError: '0', scriptResult: undefined };
  }

  const call = (token: string, effect: ClaimedEffect, target: ScriptTarget): Promise<ScriptAnswer | 'old-handoff'> =>
    target.transport === 'handoff' && target.handoffLayout !== null
      ? callByHandoff(token, effect, target, target.handoffLayout)
      : client.runScript(token, { layout: target.layout, script: target.script, parameter: effect.body });

  /** A plain script cannot say more than "no error"; the company's own field may. */
  async function verifyByProbe(token: string, target: ScriptTarget): Promise<Outcome> {
    const { probe } = target;
    if (probe === null) return { kind: 'done', verified: false, result: null };
    const { records } = await client.find(token, {
      layout: probe.layout,
      query: [{ [probe.field]: exactly(probe.value) }],
      limit: FOUND_MAX,
    });
    const there = records.some((record) => String(record.fieldData[probe.field] ?? '') === probe.value);
    if (there) return { kind: 'done', verified: probe.proves, result: null };
    return {
      kind: 'unknown',
      code: 'PROBE_FOUND_NOTHING',
      message: 'The script ended without an error, and its probe finds nothing',
    };
  }

  async function judge(
    token: string,
    effect: ClaimedEffect,
    target: ScriptTarget,
    answer: ScriptAnswer,
  ): Promise<Outcome> {
    const judged = judgeScriptAnswer(answer, { contract: target.contract, key: effect.key });
    const own = codeWord(judged.scriptCode ?? '');
    const code = own === undefined ? judged.code : `${judged.code}_${own}`;
    const message = judged.message ?? judged.code;
    switch (judged.verdict) {
      case 'done':
      case 'duplicate':
        return { kind: 'done', verified: true, result: judged.result ?? null };
      case 'unverified':
        return verifyByProbe(token, target);
      case 'refused':
        return { kind: 'refused', code, message, again: judged.resend === 'yes' };
      case 'unknown':
        return { kind: 'unknown', code, message, answered: ENDED.has(judged.code) };
      case 'unlogged':
        return { kind: 'parked', code, message };
    }
  }

  async function send(
    effect: ClaimedEffect,
    target: ScriptTarget,
    leaseTurn: LeaseTurn,
  ): Promise<{ outcome: Outcome; after: 'idle' | 'quarantine' | 'gone' }> {
    // A Redis that does not answer cannot confirm the lease: the same as a lost one, since nothing was sent yet.
    const { lease } = leaseTurn;
    const mine = await leaseTurn.isMine().catch((error: unknown) => {
      if (error instanceof PoolError) return false;
      throw error;
    });
    if (!mine) {
      return {
        outcome: {
          kind: 'refused',
          code: 'LEASE_LOST',
          message: 'The session was taken back before anything was sent',
          again: true,
          costs: false,
          afterMs: 1,
        },
        after: 'quarantine',
      };
    }
    let answered = false;
    try {
      const answer = await call(lease.token, effect, target);
      if (answer === 'old-handoff') return { outcome: oldHandoff(effect, target.handoffLayout), after: 'idle' };
      answered = true;
      return { outcome: await judge(lease.token, effect, target, answer), after: 'idle' };
    } catch (error) {
      if (error instanceof FileMakerError) {
        await tellGates(gates, error, { script: target.script, worker });
        await flushAfterForgotten(pool, error, lease.epoch);
      }
      // The script has answered; it was the look afterwards that failed.
      const outcome: Outcome = answered
        ? { kind: 'unknown', code: 'PROBE_FAILED', message: 'The script has run, and its probe could not be asked' }
        : outcomeOf(error, effect.refusals);
      return { outcome, after: sessionAfter(error) };
    }
  }

  function sending(effect: ClaimedEffect, leaseTurn: LeaseTurn): PreparedSending {
    let after: 'idle' | 'quarantine' | 'gone' = 'idle';
    return {
      kind: 'ready',
      sessionId: writeSessionReference(leaseTurn.lease),
      send: async () => {
        // Until the call has ended in a way we understand, the session must not be lent on.
        after = 'quarantine';
        const sent = await send(effect, targetOf(effect), leaseTurn);
        after = sent.after;
        return sent.outcome;
      },
      release: async () => {
        await leaseTurn.end(after);
      },
    };
  }

  return {
    kind: FILEMAKER_SCRIPT,
    scopes: (effect) => ['filemaker', `script:${targetOf(effect).script}`, `flow:${effect.flow}`],
    recheck: async (effect) =>
      effect.subject.chargeId === undefined ? { kind: 'fine' } : options.recheckCharge(effect.subject.chargeId),
    crossCheck: (effect) => ask(effect, targetOf(effect)),
    prepare: async (effect) => {
      const target = targetOf(effect);
      // A plain script that a dying worker left as `sending` waits for a person; it must not look so without having been sent.
      const early = target.contract === 'kit';
      const leased = await leaseOrWait(
        () => relay.turn({ waitMs: options.leaseWaitMs, priority: 'work', early }),
        gates,
      );
      return leased.kind === 'leased' ? sending(effect, leased.lease) : leased;
    },
    reserve: () => {
      const given = new AbortController();
      const leasing = leaseOrWait(
        () => relay.turn({ waitMs: options.leaseWaitMs, priority: 'work', signal: given.signal }),
        gates,
      );
      // Listened to from the start: it may fail before anybody asks for it.
      leasing.catch(() => undefined);
      return {
        prepare: async (effect) => {
          const leased = await leasing;
          return leased.kind === 'leased' ? sending(effect, leased.lease) : leased;
        },
        drop: async () => {
          given.abort();
          const leased = await leasing.catch(() => undefined);
          if (leased?.kind === 'leased') await leased.lease.end('idle');
        },
      };
    },
  };
}
