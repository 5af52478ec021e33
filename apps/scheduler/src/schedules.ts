import type { Config, ScheduleConfig } from '@bridge/config';
import type { Schedule } from '@bridge/jobs';

interface PassOfFlow {
  name: string;
  /** When it comes unless the configuration says otherwise. */
  schedule: Exclude<ScheduleConfig, 'off'>;
}

interface PassesOfFlow {
  name: string;
  passes: readonly PassOfFlow[];
}

/** The name of a pass's schedule, in the configuration, in metrics and in the queue. */
const scheduleName = (flow: PassesOfFlow, pass: PassOfFlow): string => `reconcile-${flow.name}-${pass.name}`;

/** Names that the configuration may give a time. */
export const scheduleNames = (flows: readonly PassesOfFlow[]): string[] =>
  flows.flatMap((flow) => flow.passes.map((pass) => scheduleName(flow, pass)));

/** Every flow that is on looks for what its webhooks missed; the scheduler only ticks, the workers do the work. */
export function schedulesOf(
  flows: readonly PassesOfFlow[],
  config: Pick<Config, 'flows' | 'schedules' | 'timezone'>,
): Schedule[] {
  const whenOf = (schedule: Exclude<ScheduleConfig, 'off'>): Schedule['when'] =>
    'cron' in schedule ? { pattern: schedule.cron, timeZone: config.timezone } : schedule;
  return flows
    .filter((flow) => config.flows.includes(flow.name))
    .flatMap((flow) =>
      flow.passes.flatMap((pass) => {
        const id = scheduleName(flow, pass);
        const schedule = config.schedules[id] ?? pass.schedule;
        if (schedule === 'off') return [];
        return [{ id, queue: 'reconciliations', when: whenOf(schedule), data: { flow: flow.name, pass: pass.name } }];
      }),
    );
}
