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
 * Pure. The soonest of the passes that look at it again: the one that saw it last and every one that looks at all such objects,
 * as long as their windows reach back to where it came about; and the thorough one, which looks at whatever is open. One that
 * goes by its period counts as sooner than one that has its hours. `bornAt`: when what is missing came about, where that is
 * known. `lastWanted`: by a pass's name, when the clock asked for it last.
 */
export function nextLookOf(
  {
    flow,
    pass,
    objectId,
    bornAt,
    lastWanted,
  }: {
    flow: FlowPasses;
    pass: PassInfo;
    objectId: string;
    bornAt: Date | null;
    lastWanted: Readonly<Record<string, Date | null>>;
  },
  schedules: Schedules,
  now: Date,
): NextLook {
  const covers = ({ lookBackMs }: PassInfo, born: Date): boolean => now.getTime() - born.getTime() <= lookBackMs;
  const looks = (one: PassInfo): boolean =>
    one.byHand === true ||
    (one === pass && (bornAt === null || covers(one, bornAt))) ||
    (one.sees?.test(objectId) === true && bornAt !== null && covers(one, bornAt));
  const lookOf = (one: PassInfo): NextLook => {
    const schedule = `reconcile-${flow.name}-${one.name}`;
    const chosen = schedules[schedule] ?? one.schedule;
    if (chosen === 'off') return { schedule, when: 'off' };
    if ('cron' in chosen) return { schedule, when: { cron: chosen.cron } };
    // One that is due and has not come is being looked for already: it comes at any moment.
    const due = (lastWanted[one.name]?.getTime() ?? 0) + chosen.everyMs;
    return { schedule, when: { at: new Date(Math.max(now.getTime(), due)) } };
  };
  const looking = flow.passes.filter(looks);
  return (looking.length === 0 ? [pass] : looking)
    .map(lookOf)
    .reduce((soonest, look) => (rankOf(look) < rankOf(soonest) ? look : soonest));
}

/** The smaller, the sooner. */
function rankOf({ when }: NextLook): number {
  if (when === 'off') return Number.POSITIVE_INFINITY;
  return 'at' in when ? when.at.getTime() : Number.MAX_VALUE;
}

/** Undefined: it is not open, or the pass that saw it is not known any more. */
export async function readNextLook(
  database: Database,
  { flows, schedules }: { flows: readonly FlowPasses[]; schedules: Schedules },
  finding: Pick<StoredFinding, 'state' | 'flow' | 'objectId' | 'lastRun' | 'replay'>,
): Promise<NextLook | undefined> {
  if (finding.state !== 'open') return undefined;
  const runs = createRuns(database);
  const run: Run | undefined = await runs.find(finding.lastRun);
  const flow = flows.find(({ name }) => name === finding.flow);
  const pass = flow?.passes.find(({ name }) => name === run?.pass);
  if (flow === undefined || pass === undefined) return undefined;
  const lastWanted: Record<string, Date | null> = {};
  for (const { name } of flow.passes) lastWanted[name] = (await runs.lastOf(flow.name, name)).wantedAt;
  const bornAt = finding.replay?.createdAt ?? null;
  return nextLookOf({ flow, pass, objectId: finding.objectId, bornAt, lastWanted }, schedules, new Date());
}
