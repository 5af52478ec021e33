import { type listFindings, moneyText, type ReplayedFinding } from '@bridge/operations';
import type { Output } from './output';
import { renderTable } from './table';

type Finding = Awaited<ReturnType<typeof listFindings>>[number];

/** How a finding stands, in words; with what has become of its replay. */
export function standingOf(finding: Finding, replayed: ReplayedFinding | undefined): string {
  if (finding.state === 'fixed') return `right again, ${finding.fixedHow}`;
  if (finding.state === 'accepted') return 'accepted';
  if (finding.actedAt !== null) {
    if (replayed?.kind === 'parked') return `replayed, parked: ${replayed.code}`;
    if (replayed?.kind === 'over') return `replayed, over: ${replayed.code}`;
    return replayed?.kind === 'done' ? 'replayed, done' : 'being replayed';
  }
  if (finding.beforeStart) return 'older, a person decides';
  return finding.replay === null ? 'a person decides' : 'can be replayed';
}

/** Findings in rows, with their money; those whose replay waits for a person are followed by what is next. */
export function findingTable(
  findings: readonly Finding[],
  replayed: ReadonlyMap<string, ReplayedFinding>,
  output: Output,
): string {
  const table = renderTable(
    findings,
    [
      { heading: 'Id', cell: ({ id }) => id },
      { heading: 'Class', cell: (finding) => finding.class, least: 14 },
      { heading: 'Payment', cell: ({ objectId }) => objectId, least: 14 },
      { heading: 'Money at risk', cell: ({ amount, currency }) => moneyText(amount, currency), align: 'right' },
      { heading: 'Stripe', cell: ({ stripeValue }) => stripeValue ?? '-', least: 6, optional: true },
      { heading: 'Recorded', cell: ({ recordedValue }) => recordedValue ?? '-', least: 8, optional: true },
      { heading: 'FileMaker', cell: ({ filemakerValue }) => filemakerValue ?? '-', least: 9, optional: true },
      {
        heading: 'Next',
        cell: (finding) => standingOf(finding, replayed.get(finding.id)),
        tone: ({ id, state, replay }) =>
          state !== 'open' ? 'quiet' : replay === null || replayed.get(id)?.kind === 'parked' ? 'waits' : 'fine',
        least: 14,
      },
    ],
    output,
  );
  const next = findings.flatMap(({ id }) => {
    const end = replayed.get(id);
    return end?.kind === 'parked' || end?.kind === 'over'
      ? [`Finding ${id}: ${output.dress('command', end.next)}`]
      : [];
  });
  return next.length === 0 ? table : [table, '', ...next].join('\n');
}
