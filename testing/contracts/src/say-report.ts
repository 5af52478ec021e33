import type { CaseResult } from './run-case';
import { answersOf, type Report } from './run-suite';

const WORDS: Readonly<Record<CaseResult['outcome'], string>> = {
  held: 'held',
  deviates: 'DEVIATES',
  skipped: 'skipped',
};

/** One case as lines: the outcome, what differs, and what it says about open questions. */
export function sayCase(result: CaseResult): string {
  const { id, says, source, outcome, deviations, reason, answers } = result;
  const more = [
    ...(outcome === 'deviates' ? [`says: ${says} (${source})`, ...deviations] : []),
    ...(reason === null ? [] : [reason]),
    ...answers.map(({ question, shows }) => `open question ${question}: ${shows ?? 'not answered'}`),
  ];
  return [`${WORDS[outcome].padEnd(9)} ${id}`, ...more.map((line) => `            ${line}`)].join('\n');
}

/** What stands below the cases: open questions, statuses, counts. */
export function sayEnd(report: Report): string {
  const answers = [...answersOf(report)].map(([id, shows]) => `  ${id}: ${shows.join(' and ') || 'not answered'}`);
  const statuses = Object.entries(report.statusesByCode).map(([code, seen]) => `  ${code}: HTTP ${seen.join(', ')}`);
  const { held, deviates, skipped } = report.counts;
  return [
    'Open questions, as this server answers them',
    ...answers,
    'Codes and the HTTP statuses they came under',
    ...statuses,
    `${held} held, ${deviates} deviate, ${skipped} skipped (${report.of}, ${report.against})`,
  ].join('\n');
}
