import type { Database } from '@bridge/database';
import type { PassInfo } from '@bridge/flow';
import { createRuns, type Run, type StoredFinding } from '@bridge/reconciliation';

/** When a comparison looks at an open finding again; only that can tell whether the books agree by now. */
export interface NextLook {
  /** The schedule's name, as in `bridge.yaml`: `reconcile-invoices-recent`. */
  schedule: string;
  /** `at`: by its period. `cron`: at these five fields, in the configured time zone. `off`: never by the clock. */
  when: { at: Date } | { cron: string } | 'off';
}

type Schedules = Readonly<Record<string, PassInfo['schedule'] | 'off'>>;

interface FlowPasses {
  name: string;
  passes: readonly PassInfo[];
}

/**
 * Pure. The pass that saw it last looks again, unless the object has left its window: then the thorough one does. `bornAt`: when
 * what is missing came about, where that is known. `lastWanted`: when the clock asked for the pass last.
 */
export function nextLookOf(
  {
    flow,
    pass,
    bornAt,
    lastWanted,
  }: { flow: FlowPasses; pass: PassInfo; bornAt: Date | null; lastWanted: Date | null },
  schedules: Schedules,
  now: Date,
): NextLook {
  const left = bornAt !== null && now.getTime() - bornAt.getTime() > pass.lookBackMs;
  const looking = left ? (flow.passes.find(({ byHand }) => byHand === true) ?? pass) : pass;
  const schedule = `reconcile-${flow.name}-${looking.name}`;
  const chosen = schedules[schedule] ?? looking.schedule;
  if (chosen === 'off') return { schedule, when: 'off' };
  if ('cron' in chosen) return { schedule, when: { cron: chosen.cron } };
  // One that is due and has not come is being looked for already: it comes at any moment.
  const due = looking === pass && lastWanted !== null ? lastWanted.getTime() + chosen.everyMs : 0;
  return { schedule, when: { at: new Date(Math.max(now.getTime(), due)) } };
}

/** Undefined: it is not open, or the pass that saw it is not known any more. */
export async function readNextLook(
  database: Database,
  { flows, schedules }: { flows: readonly FlowPasses[]; schedules: Schedules },
  finding: Pick<StoredFinding, 'state' | 'flow' | 'lastRun' | 'replay'>,
): Promise<NextLook | undefined> {
  if (finding.state !== 'open') return undefined;
  const runs = createRuns(database);
  const run: Run | undefined = await runs.find(finding.lastRun);
  const flow = flows.find(({ name }) => name === finding.flow);
  const pass = flow?.passes.find(({ name }) => name === run?.pass);
  if (flow === undefined || pass === undefined) return undefined;
  const { wantedAt } = await runs.lastOf(flow.name, pass.name);
  const bornAt = finding.replay?.createdAt ?? null;
  return nextLookOf({ flow, pass, bornAt, lastWanted: wantedAt }, schedules, new Date());
}
