import { FileMakerNotAskedError, type InvoicesRecovery, type LogQuestion } from '@bridge/flows';
import type { LogWord } from '@bridge/operations';
import { scriptTargetSchema } from '../performers/script-target';

/**
 * Says what FileMaker's log holds about keys, many in one find. Never fails for FileMaker's sake: a plan can be shown
 * without, and the same question comes before anything runs.
 */
export function createAskLog(
  readLog: InvoicesRecovery['readLog'],
): (questions: readonly LogQuestion[]) => Promise<Map<string, LogWord>> {
  return async (questions) => {
    if (questions.length === 0) return new Map();
    try {
      const told = await readLog(questions);
      return new Map(questions.map(({ key }) => [key, wordOf(told.get(key))]));
    } catch (error) {
      if (!(error instanceof FileMakerNotAskedError)) throw error;
      return new Map(questions.map(({ key }) => [key, 'unasked']));
    }
  };
}

type Told = Awaited<ReturnType<InvoicesRecovery['readLog']>> extends ReadonlyMap<string, infer Word> ? Word : never;

function wordOf(told: Told | undefined): LogWord {
  if (told === undefined) return 'unasked';
  // More rows than one, or more than were shown: they contradict each other, and the cross-check would park it.
  if (told.kind === 'unasked')
    return told.because === 'NO_LOG' ? 'no-log' : told.because === 'CUT_SHORT' ? 'not-done' : 'unasked';
  const [state, ...more] = told.states;
  if (state === undefined) return 'not-there';
  return state === 'done' && more.length === 0 ? 'done' : 'not-done';
}

/** The company's own fields can show a run. */
export function hasProbe(target: unknown): boolean {
  const read = scriptTargetSchema.safeParse(target);
  return read.success && read.data.probe !== null;
}
