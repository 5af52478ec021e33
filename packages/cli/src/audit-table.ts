import type { AuditRow } from '@bridge/operations';
import type { Output } from './output';
import { renderTable } from './table';

/** What people did, for a page about one thing; empty when nobody did anything. */
export function renderAudit(audit: readonly AuditRow[], output: Output): string {
  if (audit.length === 0) return '';
  return renderTable(
    audit,
    [
      { heading: `Acts (${output.timeZone})`, cell: (row) => output.time(row.at), least: 16 },
      { heading: 'Who', cell: (row) => row.who, least: 8 },
      { heading: 'What', cell: (row) => row.action },
      {
        heading: 'Ended',
        cell: (row) => [row.outcome ?? 'not known', row.detail].filter(Boolean).join(': '),
        least: 16,
      },
      { heading: 'Why', cell: (row) => row.why, least: 16 },
    ],
    output,
  );
}
