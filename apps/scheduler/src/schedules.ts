import type { Schedule } from '@bridge/jobs';

const FIVE_MINUTES_MS = 300_000;

/** Every flow that is on looks for what its webhooks missed. */
export function schedulesOf(flows: readonly string[]): Schedule[] {
  return flows.map((flow) => ({
    id: `reconcile-${flow}`,
    queue: 'reconciliations',
    when: { everyMs: FIVE_MINUTES_MS },
    data: { flow },
  }));
}
