import type { ContractCase, Risk } from './contract-case';
import { placeholdersIn, type Variables } from './placeholders';
import { BUILT_IN, exchangesOf, type Suite } from './suite';

export interface PlannedCase {
  readonly contractCase: ContractCase;
  readonly risks: readonly Risk[];
  /** Why it will not be played; null when it will. */
  readonly skip: string | null;
}

export interface Choice {
  readonly allowed: ReadonlySet<Risk>;
  /** Cases to play; empty for all. */
  readonly only: readonly string[];
  readonly skip: readonly string[];
  /** Names of all variables and secrets that are known. */
  readonly known: readonly string[];
}

/** Everything that a case may do to a server, read off its steps as far as they show it. */
export function risksOf(contractCase: ContractCase, suite: Suite): Risk[] {
  const found = new Set<Risk>(contractCase.risks ?? []);
  for (const exchange of exchangesOf(contractCase)) for (const risk of suite.risksOf(exchange)) found.add(risk);
  for (const step of contractCase.steps) {
    if (step.do !== 'arrange') continue;
    const real = suite.arrangements[step.what];
    if (real?.by === 'operator') found.add('operator');
    if (real?.by === 'waiting' && real.seconds(step.how, { slowSeconds: '0' }) >= LONG_SECONDS) found.add('waiting');
  }
  return [...found].sort();
}

const LONG_SECONDS = 60;

/** What a case needs from the operator: placeholders that no step and no run fills. */
export function needsOf(contractCase: ContractCase): string[] {
  const { steps, afterwards = [] } = contractCase;
  const kept = [...steps, ...afterwards].flatMap((step) => [
    ...('keep' in step ? Object.keys(step.keep ?? {}) : []),
    ...('keepEach' in step ? Object.keys(step.keepEach ?? {}) : []),
  ]);
  const used = placeholdersIn([steps, afterwards, (contractCase.questions ?? []).map(({ either }) => either)]);
  return [...new Set(used)].filter((name) => !kept.includes(name) && !BUILT_IN.includes(name));
}

/** Which cases are played, and for each of the others why not. */
export function planRun(suite: Suite, choice: Choice): PlannedCase[] {
  return suite.cases.map((contractCase) => {
    const risks = risksOf(contractCase, suite);
    return { contractCase, risks, skip: reasonToSkip(contractCase, risks, suite, choice) };
  });
}

function reasonToSkip(
  contractCase: ContractCase,
  risks: readonly Risk[],
  suite: Suite,
  { allowed, only, skip, known }: Choice,
): string | null {
  if (only.length > 0 && !only.includes(contractCase.id)) return 'not chosen by --only';
  if (skip.includes(contractCase.id)) return 'left out by --skip';
  const forbidden = risks.filter((risk) => !allowed.has(risk));
  if (forbidden.length > 0) return `needs --allow ${forbidden.join(',')}`;
  const missing = needsOf(contractCase).filter((name) => !known.includes(name));
  if (missing.length > 0) return missing.map((name) => `needs ${sayNeed(name, suite)}`).join('; ');
  return null;
}

function sayNeed(name: string, suite: Suite): string {
  const meaning = suite.needs[name];
  return meaning === undefined ? `a value for ${name}` : meaning;
}

/** Names in `only` and `skip` that are no case. */
export function unknownCases(suite: Suite, { only, skip }: Pick<Choice, 'only' | 'skip'>): string[] {
  const ids = suite.cases.map(({ id }) => id);
  return [...only, ...skip].filter((id) => !ids.includes(id));
}

/** What is going to be done, one line per case. */
export function sayPlan(plan: readonly PlannedCase[], known: Variables): string {
  const played = plan.filter(({ skip }) => skip === null);
  const writes = played.filter(({ risks }) => risks.length > 0);
  const lines = plan.map(({ contractCase, risks, skip }) =>
    skip === null
      ? `  play  ${contractCase.id}${risks.length === 0 ? '' : ` [${risks.join(', ')}]`}`
      : `  skip  ${contractCase.id}: ${skip}`,
  );
  return [
    `${played.length} of ${plan.length} cases will be played, ${writes.length} of them do more than read.`,
    `Everything that the suite makes has a name that begins with ${String(known.run)}.`,
    ...lines,
  ].join('\n');
}
