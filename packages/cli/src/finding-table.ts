import { type listFindings, moneyText } from '@bridge/operations';
import type { Output } from './output';
import { renderTable } from './table';

type Finding = Awaited<ReturnType<typeof listFindings>>[number];

/** How a finding stands, in words. */
export function standingOf(finding: Finding): string {
  if (finding.state === 'fixed') return `right again, ${finding.fixedHow}`;
  if (finding.state === 'accepted') return 'accepted';
  if (finding.actedAt !== null) return 'being replayed';
  if (finding.beforeStart) return 'older, a person decides';
  return finding.replay === null ? 'a person decides' : 'can be replayed';
}

/** Findings in rows, with their money. */
export function findingTable(findings: readonly Finding[], output: Output): string {
  return renderTable(
    findings,
    [
      { heading: 'Id', cell: ({ id }) => id },
      { heading: 'Class', cell: (finding) => finding.class, least: 14 },
      { heading: 'Payment', cell: ({ objectId }) => objectId, least: 14 },
      { heading: 'Money at risk', cell: ({ amount, currency }) => moneyText(amount, currency) },
      { heading: 'Stripe', cell: ({ stripeValue }) => stripeValue ?? '-', least: 6 },
      { heading: 'Recorded', cell: ({ recordedValue }) => recordedValue ?? '-', least: 8 },
      { heading: 'FileMaker', cell: ({ filemakerValue }) => filemakerValue ?? '-', least: 9 },
      {
        heading: 'Next',
        cell: standingOf,
        tone: ({ state, replay }) => (state !== 'open' ? 'quiet' : replay === null ? 'waits' : 'fine'),
        least: 14,
      },
    ],
    output,
  );
}
