import type { FileMakerCheck } from './report';
import type { FileMakerCheckOptions } from './run-check';

export type { FileMakerFault, FileMakerFaultCode } from './faults';
export type { CheckStep, CheckStepName, FileMakerCheck } from './report';
export type { FileMakerCheckOptions } from './run-check';

/**
 * Looks whether everything the workers need is there at the configured FileMaker Server. Never runs a script; takes its
 * sessions out of the workers' cap and gives them back. Leaves one row of the bridge's own in the log and one in the
 * hand-off table. Bounded: each question by ten seconds. Throws when PostgreSQL cannot be asked.
 */
export async function checkFileMaker(options: FileMakerCheckOptions): Promise<FileMakerCheck> {
  // Loaded when it is wanted: the clients of FileMaker and Redis would slow down every other command.
  const { runFileMakerCheck } = await import('./run-check.js');
  return runFileMakerCheck(options);
}
