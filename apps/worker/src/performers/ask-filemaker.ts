import type { ClaimedEffect, CrossCheck } from '@bridge/effects';
import { type FileMakerClient, FileMakerError, type FoundRecord } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { PoolError, type SessionPool, type SessionUse } from '@bridge/session-pool';
import { type Asked, createBatchedFind, type FindQuestion, type FindTold } from './batched-find';
import { codeWord } from './code-word';
import { flushAfterForgotten, leaseOrWait, sessionAfter, tellGates, waitAfter } from './filemaker-failure';
import type { ScriptTarget } from './script-target';
import { readSessionReference } from './session-reference';

export interface AskFileMakerOptions {
  client: Pick<FileMakerClient, 'find' | 'createRecord'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'ask' | 'flushEpoch'>;
  gates: Gates;
  worker: string;
  /** The key of the row that must be found beside every other: if it is not, "not found" proves nothing. */
  sentinelKey: string;
  /** So long after a sending was written down no script of it can run any more. */
  scriptMaxMs: number;
  /** Longest a call can take. */
  callMaxMs: number;
  leaseWaitMs: number;
}

const LOOK_AGAIN_MS = 1_000;
const SENTINEL_WAIT_MS = 3_600_000;
const LOOK_AGAIN_MS_MAX = 10_000;

/** The bridge's own row is planted at most so often: where the log hides it, rows would pile up unseen. */
const PLANT_EVERY_MS = 60_000;

const lookAgainAfter = (waitedMs: number): number =>
  Math.ceil(Math.min(LOOK_AGAIN_MS_MAX, Math.max(LOOK_AGAIN_MS, waitedMs / 4)));

/** By PostgreSQL's clock, so that it adds up over turns and processes: what waits for an answer is not passed over for ever. */
const hasWaitedMs = (effect: ClaimedEffect): number => effect.unknownSinceMs ?? effect.sincePlannedMs;

function readResult(record: FoundRecord, field: string): unknown {
  const text = String(record.fieldData[field] ?? '');
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return { text };
    throw error;
  }
}

/** Asks FileMaker whether an effect has happened; never guesses. */
export function createAskFileMaker(
  options: AskFileMakerOptions,
): (effect: ClaimedEffect, target: ScriptTarget) => Promise<CrossCheck> {
  const { client, pool, gates, worker, sentinelKey, scriptMaxMs, callMaxMs } = options;
  const find = createBatchedFind(options);
  /** Our rows that were not found afterwards: the first and the last, by layout, on this machine's monotonic clock. */
  const plantings = new Map<string, { since: number; last: number }>();

  async function onceWithSession<T>(
    effect: ClaimedEffect,
    work: (token: string) => Promise<T>,
    script: string,
  ): Promise<Asked<T>> {
    const leased = await leaseOrWait(
      () => pool.lease({ waitMs: options.leaseWaitMs, priority: 'cross-check', waitedMs: hasWaitedMs(effect) }),
      gates,
    );
    if (leased.kind !== 'leased') return { kind: 'held-back', held: leased };
    const { lease } = leased;
    let after: 'idle' | 'quarantine' | 'gone' = 'idle';
    try {
      return { kind: 'asked', value: await work(lease.token) };
    } catch (error) {
      after = sessionAfter(error);
      if (!(error instanceof FileMakerError)) throw error;
      await tellGates(gates, error, { script, worker });
      await flushAfterForgotten(pool, error, lease.epoch);
      return { kind: 'held-back', held: waitAfter(error), error };
    } finally {
      await pool.giveBack(lease, after);
    }
  }

  /** A forgotten session (952) is replaced once; all that is asked here may be asked again. */
  async function withSession<T>(
    effect: ClaimedEffect,
    work: (token: string) => Promise<T>,
    script: string,
  ): Promise<Asked<T>> {
    const asked = await onceWithSession(effect, work, script);
    const forgotten = asked.kind === 'held-back' && asked.error?.code === 'FILEMAKER_INVALID_TOKEN';
    return forgotten ? onceWithSession(effect, work, script) : asked;
  }

  /** A session that cannot be asked now may be at work; the longest time a script can run decides then. */
  async function askSession(reference: string): Promise<SessionUse> {
    const { sessionId, fence } = readSessionReference(reference);
    try {
      return await pool.ask(sessionId, fence);
    } catch (error) {
      if (error instanceof PoolError || error instanceof FileMakerError) return 'untold';
      throw error;
    }
  }

  /** How long the sending can still be running by the clock alone; 0: it is over. */
  function canRunForMs({ sinceSentMs, attempts, lastAnswered }: ClaimedEffect, { transport }: ScriptTarget): number {
    if (sinceSentMs === null || lastAnswered) return 0;
    // A hand-off that is sent again looks for its record first, and only then begins its script.
    const beginsWithinMs = transport === 'handoff' && attempts > 1 ? callMaxMs : 0;
    return Math.max(0, Math.ceil(scriptMaxMs + beginsWithinMs - sinceSentMs));
  }

  /** Whether the sending can still be running: only then "not found" may turn into "found" later. */
  async function stillRunning(effect: ClaimedEffect, target: ScriptTarget): Promise<CrossCheck | undefined> {
    const leftMs = canRunForMs(effect, target);
    if (leftMs === 0) return undefined;
    const use = effect.lastSessionId === null ? 'untold' : await askSession(effect.lastSessionId);
    if (use === 'free') return undefined;
    const afterMs = Math.min(leftMs, lookAgainAfter(effect.unknownSinceMs ?? 0));
    return use === 'busy'
      ? {
          kind: 'wait',
          afterMs,
          code: 'SCRIPT_STILL_RUNNING',
          message: 'The FileMaker session that carried it is still at work',
        }
      : {
          kind: 'wait',
          afterMs,
          code: 'SCRIPT_MAY_STILL_RUN',
          message:
            'The FileMaker session that carried it cannot be asked; waiting for the longest time a script can run',
        };
  }

  /**
   * Looks, and where nothing shows makes sure that the sending is over and looks once more: a script that ended between
   * the first look and the session's word would have left its row by then. The session is asked in the middle and not
   * before, since finds can be put together and questions to sessions cannot: of what has run nobody asks its session.
   * `over`: nothing ran any more when this look was taken. Before, `showing` tells only of what has surely ended: all else
   * would free the lane beside a script that is still at work.
   */
  async function lookTwice(
    effect: ClaimedEffect,
    target: ScriptTarget,
    question: FindQuestion,
    showing: (told: FindTold, over: boolean) => CrossCheck | undefined,
    absent: (told: FindTold) => Promise<CrossCheck>,
  ): Promise<CrossCheck> {
    const looked = await find(question);
    if (looked.kind !== 'asked') return looked.held;
    const over = canRunForMs(effect, target) === 0;
    const shown = showing(looked.value, over);
    if (shown !== undefined) return shown;
    if (over) return absent(looked.value);
    const running = await stillRunning(effect, target);
    if (running !== undefined) return running;
    const again = await find(question);
    if (again.kind !== 'asked') return again.held;
    return showing(again.value, true) ?? absent(again.value);
  }

  function askLog(
    effect: ClaimedEffect,
    target: ScriptTarget,
    log: NonNullable<ScriptTarget['log']>,
  ): Promise<CrossCheck> {
    const { script } = target;
    const { layout, keyField: field } = log;
    const question = { layout, field, value: effect.key, sentinel: sentinelKey, script, waitedMs: hasWaitedMs(effect) };
    return lookTwice(
      effect,
      target,
      question,
      ({ rows, cutShort }, over) => {
        const [row] = rows;
        if (rows.length > 1 || cutShort) {
          const contradicts: CrossCheck = {
            kind: 'park',
            code: 'LOG_CONTRADICTS',
            message: `FileMaker's log holds ${rows.length} rows for one key`,
          };
          return over ? contradicts : undefined;
        }
        if (row === undefined) return undefined;
        const state = String(row.fieldData[log.stateField] ?? '');
        if (state === 'done') return { kind: 'there', result: readResult(row, log.resultField) };
        const notDone: CrossCheck = {
          kind: 'park',
          code: 'LOG_NOT_DONE',
          message: `FileMaker's log has the key in state ${codeWord(state) ?? 'that is no code'}; the script began and did not finish`,
        };
        // A script without transactions shows such a row while it is at work.
        return over ? notDone : undefined;
      },
      async ({ sentinelFound }) => (sentinelFound ? { kind: 'not-there' } : sentinelMissing(effect, log, script)),
    );
  }

  async function sentinelMissing(
    effect: ClaimedEffect,
    log: NonNullable<ScriptTarget['log']>,
    script: string,
  ): Promise<CrossCheck> {
    await plantSentinel(effect, log, script);
    // A log that does not show a row of ours that stood before this look will not begin to: a person has to look at its
    // layout or its privileges. The effect alone may be old for another reason, such as an outage.
    const planted = plantings.get(log.layout);
    const stood = planted !== undefined && performance.now() - planted.since > PLANT_EVERY_MS;
    if (stood && hasWaitedMs(effect) > SENTINEL_WAIT_MS) {
      return {
        kind: 'park',
        code: 'SENTINEL_MISSING',
        message: `The bridge's own row cannot be found through layout ${log.layout}: check the layout's fields and the account's privileges`,
      };
    }
    return {
      kind: 'wait',
      afterMs: lookAgainAfter(effect.unknownSinceMs ?? 0),
      code: 'SENTINEL_MISSING',
      message: "The bridge's own row was not found in FileMaker's log, so that nothing is proved by absence",
    };
  }

  /** A log that is new has no row of ours yet. Whether it could be made shows at the next look. */
  async function plantSentinel(
    effect: ClaimedEffect,
    log: NonNullable<ScriptTarget['log']>,
    script: string,
  ): Promise<void> {
    const now = performance.now();
    const former = plantings.get(log.layout);
    if (former !== undefined && now - former.last < PLANT_EVERY_MS) return;
    // While it is missed, looks come every few seconds. After a longer while that row may be gone, and this is another case.
    const goesOn = former !== undefined && now - former.last < 2 * PLANT_EVERY_MS;
    plantings.set(log.layout, { since: goesOn ? former.since : now, last: now });
    const planted = await withSession(
      effect,
      (token) =>
        client.createRecord(token, {
          layout: log.layout,
          fieldData: { [log.keyField]: sentinelKey, [log.stateField]: 'sentinel' },
        }),
      script,
    );
    if (planted.kind !== 'held-back') return;
    // A duplicate is there already, and hidden from us; what FileMaker will never take (no right to create) is a person's too.
    // Held back before the call, or by one that may pass: the next look may try again.
    const { error } = planted;
    if (error?.code === 'FILEMAKER_DUPLICATE_VALUE' || error?.resend === 'no') return;
    if (goesOn) plantings.set(log.layout, former);
    else plantings.delete(log.layout);
  }

  function askProbe(
    effect: ClaimedEffect,
    target: ScriptTarget,
    probe: NonNullable<ScriptTarget['probe']>,
  ): Promise<CrossCheck> {
    const { layout, field, value } = probe;
    const { script } = target;
    const question = { layout, field, value, sentinel: null, script, waitedMs: hasWaitedMs(effect) };
    return lookTwice(
      effect,
      target,
      question,
      ({ rows: [row] }, over) =>
        // A script may fill the field first and go on working.
        row !== undefined && probe.proves && over
          ? { kind: 'there', result: { probe: { layout, recordId: row.recordId } } }
          : undefined,
      async ({ rows: [row] }) =>
        row === undefined
          ? {
              kind: 'park',
              code: 'PROBE_FOUND_NOTHING',
              message: `No record of ${layout} holds the id; the company's own fields cannot prove that nothing happened`,
            }
          : {
              kind: 'park',
              code: 'PROBE_CANNOT_PROVE',
              message: 'The probe finds the invoice, not this payment; a person has to look',
            },
    );
  }

  return async (effect, target) => {
    if (target.log !== null) {
      const told = await askLog(effect, target, target.log);
      // An older handler has left no key of ours in the log; the company's own field may show what it did.
      if (!effect.askOnly || told.kind !== 'not-there' || target.probe?.proves !== true) return told;
      const shown = await askProbe(effect, target, target.probe);
      return shown.kind === 'park' ? told : shown;
    }
    if (target.probe !== null) return askProbe(effect, target, target.probe);
    // Parking frees the lane: not beside a script that is still at work.
    const running = await stillRunning(effect, target);
    if (running !== undefined) return running;
    return {
      kind: 'park',
      code: 'CANNOT_BE_ASKED',
      message: `The script ${target.script} keeps no log and has no probe: whether it ran cannot be asked`,
    };
  };
}
