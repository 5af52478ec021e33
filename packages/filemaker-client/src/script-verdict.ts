import { z } from 'zod';
import { findCodeRow } from './error-codes';
import type { ScriptAnswer } from './filemaker-client';
import type { FileMakerResend } from './filemaker-error';

/** `kit`: the script answers in the script kit's JSON and echoes the key. `plain`: a script nobody may change. */
export type ScriptContract = 'kit' | 'plain';

/**
 * - `done`: this run did it. `duplicate`: an earlier run had done it.
 * - `refused`: the script says it did nothing; `resend` says whether again helps.
 * - `unverified`: a plain script ended without an error. Only a probe of the company's own fields can prove more.
 * - `unknown`: it may have run, in whole or in part. Ask before anything else.
 * - `unlogged`: it has run, in whole or in part, and its log does not show it. To ask would prove the opposite.
 */
export type ScriptVerdictKind = 'done' | 'duplicate' | 'refused' | 'unverified' | 'unknown' | 'unlogged';

/** Our own names for how a script ended. Stable. */
export type ScriptVerdictCode =
  | 'SCRIPT_DONE'
  | 'SCRIPT_DONE_WITH_WARNING'
  | 'SCRIPT_DUPLICATE'
  | 'SCRIPT_UNVERIFIED'
  | 'SCRIPT_RECORD_LOCKED'
  | 'SCRIPT_ROLLED_BACK'
  | 'SCRIPT_AGAIN'
  | 'SCRIPT_KEY_CONFLICT'
  | 'SCRIPT_BAD_PARAMETER'
  | 'SCRIPT_REFUSED'
  | 'SCRIPT_ERROR'
  | 'SCRIPT_PARTLY_RUN'
  | 'SCRIPT_ROW_MISSING'
  | 'SCRIPT_NO_RESULT'
  | 'SCRIPT_RESULT_UNREADABLE'
  | 'SCRIPT_OTHER_KEY';

/** The JSON that a kit script gives to Exit Script. Further fields are kept as they are. */
export type KitResult = Readonly<Record<string, unknown>>;

/** What a script that was run has proved. Route by `verdict`, then by `resend`. */
export interface ScriptVerdict {
  readonly verdict: ScriptVerdictKind;
  readonly resend: FileMakerResend;
  readonly code: ScriptVerdictCode;
  /** FileMaker's or the script's own code, where there is one. */
  readonly scriptCode?: string;
  /** In our own words, safe to show. */
  readonly message?: string;
  /** What the script answered, when it could be read. It may hold customer data: store it, do not log it. */
  readonly result?: KitResult;
}

const kitResult = z.looseObject({
  ok: z.boolean(),
  code: z.union([z.string(), z.number()]).transform(String).optional(),
  key: z.string().nullish(),
  ran: z.boolean().optional(),
  duplicate: z.boolean().optional().catch(undefined),
});

type ReadKitResult = z.output<typeof kitResult>;

function readKitResult(text: string): ReadKitResult | undefined {
  try {
    return kitResult.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const unknown = (code: ScriptVerdictCode, message: string, rest: Partial<ScriptVerdict> = {}): ScriptVerdict => ({
  verdict: 'unknown',
  resend: 'check',
  code,
  message,
  ...rest,
});

const refused = (
  resend: 'yes' | 'no',
  code: ScriptVerdictCode,
  message: string,
  rest: Partial<ScriptVerdict>,
): ScriptVerdict => ({ verdict: 'refused', resend, code, message, ...rest });

function judgePlain(scriptError: string): ScriptVerdict {
  return scriptError === '0'
    ? { verdict: 'unverified', resend: 'check', code: 'SCRIPT_UNVERIFIED' }
    : unknown('SCRIPT_ERROR', 'the script ended with an error and may have done part of its work', {
        scriptCode: scriptError,
      });
}

/** The script says it changed nothing: its own code decides whether again helps. */
function judgeKitRefusal(scriptCode: string, rest: Partial<ScriptVerdict>): ScriptVerdict {
  const row = findCodeRow(scriptCode);
  if (scriptCode === 'KEY_CONFLICT') {
    return refused('no', 'SCRIPT_KEY_CONFLICT', 'the same key was used before with other content', rest);
  }
  if (scriptCode === 'BAD_PARAM')
    return refused('no', 'SCRIPT_BAD_PARAMETER', 'the script cannot read its parameter', rest);
  if (row?.code === 'FILEMAKER_RECORD_LOCKED') return refused('yes', 'SCRIPT_RECORD_LOCKED', row.meaning, rest);
  if (row?.code === 'FILEMAKER_ROLLED_BACK') return refused('yes', 'SCRIPT_ROLLED_BACK', row.meaning, rest);
  // "Value not unique" and its like hint at another run: the log of the script knows better than we do.
  if (row?.resend === 'check') return unknown('SCRIPT_ERROR', row.meaning, rest);
  if (row?.resend === 'yes') return refused('yes', 'SCRIPT_AGAIN', row.meaning, rest);
  return refused('no', 'SCRIPT_REFUSED', row?.meaning ?? 'the script refused with a code of its own', rest);
}

function judgeKitSuccess(result: ReadKitResult, scriptError: string): ScriptVerdict {
  if (result.duplicate === true) return { verdict: 'duplicate', resend: 'no', code: 'SCRIPT_DUPLICATE', result };
  if (scriptError === '0') return { verdict: 'done', resend: 'no', code: 'SCRIPT_DONE', result };
  return {
    verdict: 'done',
    resend: 'no',
    code: 'SCRIPT_DONE_WITH_WARNING',
    scriptCode: scriptError,
    message: 'the script reports success, and FileMaker an error that the script had dealt with',
    result,
  };
}

function judgeKit(answer: ScriptAnswer, key: string): ScriptVerdict {
  const error = answer.scriptError === '0' ? {} : { scriptCode: answer.scriptError };
  if (answer.scriptResult === undefined || answer.scriptResult.trim() === '') {
    return unknown('SCRIPT_NO_RESULT', 'the script ended without a result', error);
  }
  const result = readKitResult(answer.scriptResult);
  if (result === undefined)
    return unknown('SCRIPT_RESULT_UNREADABLE', "the script's result is not in the kit's form", error);
  const scriptCode = result.code ?? '';
  const rest = { scriptCode, result };
  const sameKey = result.key === key;
  // A script that could not read its parameter cannot echo the key. To believe it can only park, never repeat.
  const keyUnreadable = result.ok === false && scriptCode === 'BAD_PARAM' && (result.key ?? '') === '';
  if (!sameKey && !keyUnreadable)
    return unknown('SCRIPT_OTHER_KEY', 'the result names another key than the one sent', rest);
  if (result.ok) return judgeKitSuccess(result, answer.scriptError);
  if (scriptCode === 'LOG_ROW_MISSING') {
    // Without the script's own code: what was parked for this bears one name.
    const message = 'the script has changed something, and its log has no row that says so';
    return { verdict: 'unlogged', resend: 'no', code: 'SCRIPT_ROW_MISSING', message, result };
  }
  if (result.ran !== false)
    return unknown('SCRIPT_PARTLY_RUN', 'the script failed and does not say that it changed nothing', rest);
  return judgeKitRefusal(scriptCode, rest);
}

/** Judges what a script left behind. Pure. `key` is the idempotency key that was sent. */
export function judgeScriptAnswer(
  answer: ScriptAnswer,
  expected: { readonly contract: ScriptContract; readonly key: string },
): ScriptVerdict {
  return expected.contract === 'kit' ? judgeKit(answer, expected.key) : judgePlain(answer.scriptError);
}
