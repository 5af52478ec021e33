import type { FileMakerCheck } from './filemaker-check/report';
import type { FileMakerCheckOptions } from './filemaker-check/run-check';

export type { FileMakerFault, FileMakerFaultCode } from './filemaker-check/faults';
export type { CheckStep, CheckStepName, FileMakerCheck } from './filemaker-check/report';
export type { FileMakerCheckOptions } from './filemaker-check/run-check';

/**
 * Looks whether everything the workers need is there at the configured FileMaker Server. Never runs a script; takes its
 * sessions out of the workers' cap and gives them back. Leaves one row of the bridge's own in the log and one in the
 * hand-off table. Bounded: each question by ten seconds. Throws when PostgreSQL cannot be asked.
 */
export async function checkFileMaker(options: FileMakerCheckOptions): Promise<FileMakerCheck> {
  // Loaded when it is wanted: the clients of FileMaker and Redis would slow down every other command.
  const { runFileMakerCheck } = await import('./filemaker-check/run-check.js');
  return runFileMakerCheck(options);
}
