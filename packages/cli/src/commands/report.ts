import { flows } from '@bridge/flows';
import {
  type CurrencyFigures,
  createReportCsv,
  type Day,
  dayOf,
  daysOfMonth,
  isDay,
  moneyText,
  type Report,
  readReport,
} from '@bridge/operations';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { renderTable, wrap } from '../table';
import { parseDay } from './close';
import { asDocument, STANDARD_OUTPUT, writeAsked } from './prove';

interface Asked {
  since?: Day;
  until?: Day;
  month?: string;
  csv?: string;
}

const DAYS_MAX = 1_100;

function parseMonth(text: string): string {
  if (!/^\d{4}-\d{2}$/.test(text) || !isDay(`${text}-01`)) throw new InvalidArgumentError('Give a month as 2026-11.');
  return text;
}

/** This month up to today, when nothing is said. */
function spanOf({ since, until, month }: Asked, timeZone: string): { since: Day; until: Day } {
  if (month !== undefined) return daysOfMonth(month);
  const today = dayOf(new Date(), timeZone);
  const last = until ?? today;
  return { since: since ?? `${last.slice(0, 7)}-01`, until: last };
}

const money = ({ currency }: { currency: string }, { count, amount }: CurrencyFigures['paid']): string =>
  count === 0 ? '' : moneyText(amount, currency);
const applied = ({ verified, unverified }: CurrencyFigures): CurrencyFigures['paid'] => ({
  count: verified.count + unverified.count,
  amount: verified.amount + unverified.amount,
});
const missing = ({ waiting, parked, cancelled }: CurrencyFigures): CurrencyFigures['paid'] => ({
  count: waiting.count + parked.count + cancelled.count,
  amount: waiting.amount + parked.amount + cancelled.amount,
});

function describe(result: Report, file: string | undefined, output: Output): string {
  const { since, until, rows, totals, firstDay, closedDays, openDays } = result;
  type Line = CurrencyFigures & { day: string; mark: string };
  const lines: Line[] = [
    ...rows.map((row) => ({ ...row, mark: row.closed || row.day < firstDay ? '' : 'open' })),
    ...totals.map((total) => ({ ...total, day: 'Total', mark: '' })),
  ];
  const table = renderTable(
    lines,
    [
      { heading: 'Day', cell: ({ day }) => day },
      { heading: 'Count', cell: ({ paid }) => String(paid.count), align: 'right' },
      { heading: 'Paid', cell: (line) => money(line, line.paid), align: 'right' },
      { heading: 'In FileMaker', cell: (line) => money(line, applied(line)), align: 'right', tone: () => 'fine' },
      { heading: 'Not there', cell: (line) => money(line, missing(line)), align: 'right', tone: () => 'waits' },
      { heading: 'Refunded', cell: (line) => money(line, line.refunded), align: 'right' },
      { heading: 'Disputed', cell: (line) => money(line, line.disputed), align: 'right' },
      { heading: '', cell: ({ mark }) => mark, tone: () => 'quiet' },
    ],
    output,
  );
  const day = (count: number): string => `${count} ${count === 1 ? 'day' : 'days'}`;
  return [
    output.dress('heading', `${since} to ${until}`),
    '',
    rows.length === 0 ? 'No money moved.' : table,
    '',
    output.dress(
      'quiet',
      wrap(
        `${day(closedDays)} closed, ${day(openDays)} open, by the clock of ${output.timeZone}.${since < firstDay ? ` The bridge's first day is ${firstDay}.` : ''} Paid, refunded and disputed of a closed day are as it was closed; FileMaker is as of now.`,
        output.width,
      ),
    ),
    ...(file === undefined ? [] : [`Written to ${file}.`]),
  ].join('\n');
}

async function run(asked: Asked): Promise<CommandResult> {
  const { result, table, timeZone } = await withDatabase(async ({ database, config }) => {
    const span = spanOf(asked, config.timezone);
    const csv = createReportCsv(config.timezone);
    const lines = [csv.heading];
    const read = await readReport(
      { database, flows, timeZone: config.timezone, reconcileFrom: config.reconcileFrom, ...span },
      (moves) => {
        if (asked.csv !== undefined) for (const move of moves) lines.push(csv.line(move));
      },
    );
    return { result: read, table: lines.join(''), timeZone: config.timezone };
  });
  if (asked.csv === STANDARD_OUTPUT) return asDocument({ fine: true, json: result }, table);
  if (asked.csv !== undefined) await writeAsked(asked.csv, table);
  return { fine: true, json: result, timeZone, text: (output) => describe(result, asked.csv, output) };
}

export function addReport(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('report')
    .summary('what was paid, applied and refunded, for the books')
    .description(
      'Sums by day and currency what was paid, applied in FileMaker, refunded and disputed; days by the clock of TIMEZONE. Without options: this month up to today. The CSV has one line for each payment, refund and dispute.',
    )
    .addOption(new Option('--since <day>', 'first day, such as 2026-11-01').argParser(parseDay))
    .addOption(new Option('--until <day>', 'last day, included').argParser(parseDay))
    .addOption(
      new Option('--month <month>', 'a whole month, such as 2026-11')
        .argParser(parseMonth)
        .conflicts(['since', 'until']),
    )
    .option('--csv <file>', 'also write every payment as a line of a table; - prints the table alone')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge report',
        './bridge report --month 2026-11 --csv november.csv',
        './bridge report --since 2026-11-20 --json',
      ),
    )
    .action((asked: Asked, command: Command) => {
      const { since, until } = asked;
      if (since !== undefined && until !== undefined) {
        const days = (Date.parse(until) - Date.parse(since)) / 86_400_000 + 1;
        if (days < 1 || days > DAYS_MAX)
          command.error(`error: --until must be on or after --since, and at most ${DAYS_MAX} days later`, {
            exitCode: 2,
          });
      }
      return report(() => run(asked));
    });
}
