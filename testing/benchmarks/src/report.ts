import { cpus, totalmem } from 'node:os';

/** One figure beside what we want it to be. */
export interface Goal {
  name: string;
  value: number;
  /** `at-least` or `at-most` the limit. */
  is: 'at-least' | 'at-most';
  limit: number;
}

export interface Report {
  bench: 'ingress' | 'latency' | 'drain';
  /** What was run, in one line. */
  method: string;
  /** Heading and rows; the first column is a name. */
  columns: readonly string[];
  rows: readonly (readonly (string | number)[])[];
  goals: readonly Goal[];
  /** Sent and not found where they belong. Anything but 0 is a fault of what was measured. */
  lost: number;
  /** Done more than once. */
  doubled: number;
  /** Others used the machine meanwhile: compare nothing with other runs. */
  noisy: boolean;
  /** Highest share of a core that others used in a repetition that counts. */
  foreign: number | undefined;
  discarded: number;
}

export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} x ${first?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

export function isMet(goal: Goal): boolean {
  return goal.is === 'at-least' ? goal.value >= goal.limit : goal.value <= goal.limit;
}

export function shown(value: string | number): string {
  if (typeof value === 'string') return value;
  if (!Number.isFinite(value)) return '-';
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
}

/** The report for people. */
export function asText(report: Report): string {
  const table = [report.columns, ...report.rows.map((row) => row.map(shown))];
  const widths = report.columns.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const goals = report.goals.map(
    (goal) =>
      `${isMet(goal) ? 'met    ' : 'NOT MET'}  ${goal.name}: ${shown(goal.value)} (goal ${goal.is === 'at-least' ? '>=' : '<='} ${goal.limit})`,
  );
  const others =
    report.foreign === undefined
      ? 'Not known how much others used this machine (no /proc).'
      : `Others used up to ${Math.round(report.foreign * 100)} % of a core meanwhile; ${report.discarded} repetitions thrown away.`;
  return [
    `bench:${report.bench}: ${report.method}`,
    machine(),
    '',
    ...lines,
    '',
    ...goals,
    `Lost ${report.lost}, doubled ${report.doubled}.`,
    others,
    ...(report.noisy ? ['NOISY: the machine was not quiet. These figures are provisional.'] : []),
    '',
  ].join('\n');
}

/** What makes a run worthless, whatever the machine: something lost or doubled, or a figure that did not come out. */
export function faultsOf(report: Report): string[] {
  const missing = report.goals
    .filter(({ value, is }) => !Number.isFinite(value) || value < 0 || (value === 0 && is === 'at-least'))
    .map(({ name }) => name);
  return [
    ...(report.lost === 0 ? [] : [`${report.lost} lost`]),
    ...(report.doubled === 0 ? [] : [`${report.doubled} doubled`]),
    ...missing.map((name) => `no figure for: ${name}`),
  ];
}
