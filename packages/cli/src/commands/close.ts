import { flows } from '@bridge/flows';
import {
  brokenSeal,
  type ChainCheck,
  type ClosedDay,
  type Closing,
  closeDay,
  type DayMail,
  dayPage,
  dayText,
  isDay,
  isDayFine,
  listDayMails,
  verifyDays,
  yesterday,
} from '@bridge/operations';
import { type Command, InvalidArgumentError } from 'commander';
import { operatorAtKeyboard, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { wrap } from '../table';
import { asDocument, STANDARD_OUTPUT, writeAsked } from './prove';

export function parseDay(text: string): string {
  if (!isDay(text)) throw new InvalidArgumentError('Give a day as 2026-11-22.');
  return text;
}

/** What is kept, and nothing of now: the same bytes each time that the day is shown. */
function keptOf(day: ClosedDay): object {
  return { ...day, contents: day.contents };
}

const MAIL_STATES = {
  owed: 'is owed',
  sending: 'is being sent',
  sent: 'was sent',
  unheard: 'was sent and the mail server never answered; it is not sent twice',
  refused: 'was refused by the mail server',
} as const;

/** Only what is longer than the screen is broken; figures keep their columns. */
const fold = (text: string, width: number): string =>
  text
    .split('\n')
    .map((line) => (line.length > width ? wrap(line, width, '  ') : line))
    .join('\n');

function describe(
  closing: Extract<Closing, { kind: 'closed' }>,
  mails: DayMail[],
  file: string | undefined,
  output: Output,
): string {
  const { day, now, before } = closing;
  const text = dayText(day);
  const broken = brokenSeal(day);
  return [
    broken !== undefined
      ? `${output.dress('broken', `${day.day} is not as it was closed.`)} ${broken} See: ${output.dress('command', './bridge close --verify')}`
      : now
        ? output.dress('fine', `${day.day} is closed now.`)
        : output.dress('quiet', `${day.day} was closed before; shown as it was.`),
    ...(before.length === 0
      ? []
      : [output.dress('note', `Closed before it, since they were missing: ${before.join(', ')}.`)]),
    '',
    text === undefined
      ? `Its contents are erased. Its digest is ${day.digest}, its head ${day.head}.`
      : fold(text, output.width),
    ...mails.map(
      ({ recipients, state, settledAt, detail }) =>
        `Mail to ${recipients}: ${MAIL_STATES[state]}${settledAt === null ? '' : `, ${output.time(settledAt)}`}${detail === null ? '' : ` (${detail})`}.`,
    ),
    ...(file === undefined ? [] : ['', `Written to ${file}.`]),
  ].join('\n');
}

async function runClose(asked: string | undefined, file: string | undefined): Promise<CommandResult> {
  const { closing, mails, timeZone } = await withDatabase(async ({ database, config }) => {
    const { timezone } = config;
    const done = await closeDay(
      { database, flows, timeZone: timezone, by: operatorAtKeyboard() },
      asked ?? yesterday(timezone),
    );
    return {
      closing: done,
      mails: done.kind === 'closed' ? await listDayMails(database.executor, done.day.day) : [],
      timeZone: timezone,
    };
  });
  if (closing.kind === 'refused') throw new CommandError(closing.code, closing.reason);
  const { day } = closing;
  const broken = brokenSeal(day);
  const fine = broken === undefined && (day.contents === null || isDayFine(day.contents));
  if (file !== undefined && broken !== undefined)
    throw new CommandError('DAY_CHANGED', `${day.day} is not as it was closed, so no page is made of it. ${broken}`);
  if (file !== undefined) {
    const page = dayPage(day);
    if (page === undefined) throw new CommandError('CONTENTS_ERASED', `The contents of ${day.day} are erased.`);
    if (file === STANDARD_OUTPUT) return asDocument({ fine, json: keptOf(day) }, page);
    await writeAsked(file, page);
  }
  return {
    fine,
    json: keptOf(day),
    timeZone,
    text: (output) => describe(closing, mails, file, output),
  };
}

function describeCheck({ checked, erased, head, broken }: ChainCheck, output: Output): string {
  if (broken !== null) {
    return [
      `${output.dress('broken', 'The chain is broken')} at ${broken.day}: ${broken.what}`,
      `${checked - 1} ${checked === 2 ? 'day' : 'days'} before it hold.`,
    ].join('\n');
  }
  if (checked === 0) return 'No day is closed yet.';
  const told = erased === 0 ? '' : ` (of ${erased} the contents are erased, only the digests could be checked)`;
  return [
    `${output.dress('fine', 'The chain holds:')} ${checked} ${checked === 1 ? 'day' : 'days'} checked${told}.`,
    `Head: ${head}`,
    output.dress('quiet', 'Compare it with the head in a mail: the same head, the same days.'),
  ].join('\n');
}

async function runVerify(): Promise<CommandResult> {
  const check = await withDatabase(({ database }) => verifyDays(database));
  return { fine: check.broken === null, json: check, text: (output) => describeCheck(check, output) };
}

export function addClose(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('close')
    .argument('[day]', 'a day such as 2026-11-22; default: yesterday, by the clock of TIMEZONE', parseDay)
    .summary('close a day of the books, or show a closed one')
    .description(
      'Closes a day: what was paid, what of it is in FileMaker, what needs a person. A closed day is kept and shown again as it was; money of it that is seen later is a correction of the next one. Days that are missing before it are closed first. Workers do this by themselves after midnight. Exit 1: something of the day is not settled.',
    )
    .option('--verify', 'check the chain of all closed days and name the first that was changed')
    .option('--html <file>', 'also write the day as a page; - prints the page alone')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('./bridge close', './bridge close 2026-11-22 --html day.html', './bridge close --verify'),
    )
    .action((day: string | undefined, { html, verify }: { html?: string; verify?: true }, command: Command) => {
      if (verify === true && (day !== undefined || html !== undefined))
        command.error('error: --verify checks all days; it takes no day and no --html', { exitCode: 2 });
      return report(() => (verify === true ? runVerify() : runClose(day, html)));
    });
}
