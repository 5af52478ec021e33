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
import { type Column, fits, renderTable, wrap } from '../table';
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

const applied = ({ verified, unverified }: CurrencyFigures): CurrencyFigures['paid'] => ({
  count: verified.count + unverified.count,
  amount: verified.amount + unverified.amount,
});
const missing = ({ waiting, parked, cancelled }: CurrencyFigures): CurrencyFigures['paid'] => ({
  count: waiting.count + parked.count + cancelled.count,
  amount: waiting.amount + parked.amount + cancelled.amount,
});

type Line = CurrencyFigures & { day: string; mark: string };

/** `apart`: the currency once a line instead of behind each amount, and no column without an amount. */
function columnsOf(lines: readonly Line[], { apart }: { apart: boolean }): Column<Line>[] {
  const money = (of: (line: Line) => CurrencyFigures['paid']) => (line: Line) => {
    const { count, amount } = of(line);
    const text = count === 0 ? '' : moneyText(amount, line.currency);
    return apart ? text.replace(/ .*/, '') : text;
  };
  const amounts: Column<Line>[] = [
    { heading: 'Paid', cell: money(({ paid }) => paid), align: 'right' },
    { heading: 'In FileMaker', cell: money(applied), align: 'right', tone: () => 'fine' },
    { heading: 'Not there', cell: money(missing), align: 'right', tone: () => 'waits' },
    { heading: 'Refunded', cell: money(({ refunded }) => refunded), align: 'right' },
    { heading: 'Disputed', cell: money(({ disputed }) => disputed), align: 'right' },
  ];
  return [
    { heading: 'Day', cell: ({ day }) => day },
    { heading: 'Count', cell: ({ paid }) => String(paid.count), align: 'right', optional: true },
    ...(apart ? [{ heading: '', cell: ({ currency }: Line) => currency.toUpperCase() }] : []),
    ...amounts.filter(({ cell }) => !apart || lines.some((line) => cell(line) !== '')),
    // The sentence below counts the open days: amounts need the room more.
    { heading: '', cell: ({ mark }) => mark, tone: () => 'quiet', optional: true },
  ];
}

/** No amount is ever cut or broken: where the terminal is narrow the columns say less beside them. */
function renderDays(lines: readonly Line[], output: Output): string {
  const beside = columnsOf(lines, { apart: false });
  return renderTable(lines, fits(lines, beside, output) ? beside : columnsOf(lines, { apart: true }), output);
}

export function describeReport(result: Report, file: string | undefined, output: Output): string {
  const { since, until, rows, totals, firstDay, closedDays, openDays } = result;
  const lines: Line[] = [
    ...rows.map((row) => ({ ...row, mark: row.closed || row.day < firstDay ? '' : 'open' })),
    ...totals.map((total) => ({ ...total, day: 'Total', mark: '' })),
  ];
  const day = (count: number): string => `${count} ${count === 1 ? 'day' : 'days'}`;
  return [
    output.dress('heading', `${since} to ${until}`),
    '',
    rows.length === 0 ? 'No money moved.' : renderDays(lines, output),
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
  return { fine: true, json: result, timeZone, text: (output) => describeReport(result, asked.csv, output) };
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
