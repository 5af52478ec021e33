import { decimalText } from '../wording/money-text';
import { csvLine } from './csv';
import type { ReportedMove } from './read-report';

/** Columns of the table of moves, in order. Programs rely on them: new ones come last. */
export const REPORT_CSV_HEADINGS = [
  'day',
  'money_day',
  'closed',
  'time',
  'flow',
  'kind',
  'title',
  'payment',
  'id',
  'amount',
  'currency',
  'state',
  'other_ids',
] as const;

const STATES = {
  verified: 'applied',
  unverified: 'applied, unverified',
  waiting: 'on its way',
  parked: 'waits for a person',
  cancelled: 'cancelled',
  none: 'recorded',
} as const;

/** The heading line, then one line for each payment, refund and dispute; amounts as decimals, always positive. */
export function createReportCsv(timeZone: string): { heading: string; line(move: ReportedMove): string } {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return {
    heading: csvLine(REPORT_CSV_HEADINGS),
    line: (move) =>
      csvLine([
        move.day,
        move.moneyDay,
        move.closed ? 'yes' : 'no',
        format.format(move.at),
        move.flow,
        move.kind,
        move.title,
        move.paymentId,
        move.id,
        { number: decimalText(move.amount, move.currency) },
        move.currency.toUpperCase(),
        STATES[move.standing],
        move.related.filter((id) => id !== move.paymentId).join(' '),
      ]),
  };
}
