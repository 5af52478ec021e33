import type { Answer } from './contract-case';
import type { Variables } from './placeholders';
import type { PlannedCase } from './plan';
import { type CaseResult, runCase } from './run-case';
import type { Stage } from './stage';
import type { Suite } from './suite';
import type { Transport } from './transport';

export interface Report {
  readonly of: Suite['name'];
  readonly against: string;
  readonly counts: { readonly held: number; readonly deviates: number; readonly skipped: number };
  readonly cases: readonly CaseResult[];
  /** Under which HTTP statuses each of the service's codes came. */
  readonly statusesByCode: Readonly<Record<string, readonly number[]>>;
}

export interface RunParts {
  readonly suite: Suite;
  readonly against: string;
  readonly plan: readonly PlannedCase[];
  readonly transport: Transport;
  readonly stage: Stage;
  readonly variables: Variables;
  readonly onCase?: (result: CaseResult) => void;
  /** True ends the run before the next case. */
  readonly isStopped?: () => boolean;
}

/** Plays the planned cases, one after the other. */
export async function runSuite(parts: RunParts): Promise<Report> {
  const { suite, plan, transport, stage, variables, against } = parts;
  const statuses = new Map<string, Set<number>>();
  const onAnswer = (code: unknown, answer: Answer): void => {
    if (typeof code !== 'string' || answer.status === null) return;
    statuses.set(code, (statuses.get(code) ?? new Set()).add(answer.status));
  };
  const cases: CaseResult[] = [];
  for (const { contractCase, skip: planned } of plan) {
    const skip = planned ?? (parts.isStopped?.() === true ? 'the run was stopped' : null);
    if (skip !== null) transport.skipped(contractCase.id, skip);
    const result =
      skip === null
        ? await runCase(contractCase, { suite, transport, stage, variables, onAnswer })
        : notPlayed(contractCase, skip);
    cases.push(result);
    parts.onCase?.(result);
  }
  const count = (outcome: CaseResult['outcome']): number => cases.filter((one) => one.outcome === outcome).length;
  const counts = { held: count('held'), deviates: count('deviates'), skipped: count('skipped') };
  const statusesByCode = Object.fromEntries(
    [...statuses]
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([code, set]) => [code, [...set]]),
  );
  return { of: suite.name, against, counts, cases, statusesByCode };
}

function notPlayed({ id, says, source }: PlannedCase['contractCase'], reason: string): CaseResult {
  return { id, says, source, outcome: 'skipped', deviations: [], reason, answers: [] };
}

/** Each open question with what was seen; a question of several cases may have several answers. */
export function answersOf(report: Report): Map<string, string[]> {
  const answers = new Map<string, string[]>();
  for (const { question, shows } of report.cases.flatMap((one) => one.answers)) {
    const known = answers.get(question) ?? [];
    if (shows !== null && !known.includes(shows)) known.push(shows);
    answers.set(question, known);
  }
  return answers;
}
