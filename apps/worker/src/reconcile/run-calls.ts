import { AsyncLocalStorage } from 'node:async_hooks';

/** What a run has asked the peers since the last page. */
export interface RunCalls {
  stripeCalls: number;
  filemakerFinds: number;
}

const calls = new AsyncLocalStorage<RunCalls>();

/** Counts every question that is asked within `work`, also in what it starts. */
export const countingCalls = <T>(counted: RunCalls, work: () => Promise<T>): Promise<T> => calls.run(counted, work);

export function countStripeCall(): void {
  const counted = calls.getStore();
  if (counted !== undefined) counted.stripeCalls += 1;
}

export function countFileMakerFind(): void {
  const counted = calls.getStore();
  if (counted !== undefined) counted.filemakerFinds += 1;
}
