import { type MoneyPlace, readStatus, type Status, tellMoney, topLines } from '@bridge/operations';
import type { Command } from 'commander';
import { migrationSources, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { wrap } from '../table';

const MARKS = { broken: '✗', waits: '!', note: '·', fine: '✓' } as const;

/** What a person reads at a glance. */
const LINES_MOST = 10;
const GAP = '  ';

/** The command stands beside its sentence where both fit, else below. */
function describeLine({ tone, sentence, next }: Status['lines'][number], output: Output): string {
  const mark = output.dress(tone, MARKS[tone]);
  const command = output.dress('command', next);
  const beside = 2 + sentence.length + GAP.length + next.length <= output.width;
  return beside
    ? `${mark} ${wrap(sentence, output.width)}${GAP}${command}`
    : `${mark} ${wrap(sentence, output.width - 2, '  ')}\n    ${command}`;
}

function describe(status: Status, all: boolean, mode: 'live' | 'observe', output: Output): string {
  const shown = all ? status.lines : topLines(status.lines, LINES_MOST);
  const lines = shown.map((line) => describeLine(line, output));
  const { figures } = status;
  const facts: [string, string][] = [['Bridge', `${status.version}, PostgreSQL ${status.postgresql}`]];
  if (figures !== null) {
    const { inbox, effects, processes, filemakerSessions: sessions } = figures;
    const money = tellMoney(figures.money).map(
      ({ place, sums, counted }) =>
        `${sums.join(', ')} ${mode === 'observe' && place === 'on-the-way' ? 'planned, not sent' : PLACE_WORDS[place]} (${counted})`,
    );
    facts.push(['Money', money.length === 0 ? 'none waits' : money.join('; ')]);
    facts.push(
      ['From Stripe', counted(inbox.counts, EVENT_WORDS)],
      ['To FileMaker', counted(effects.counts, EFFECT_WORDS)],
      ['Processes', processes.living.map(({ app, host, pid }) => `${app} ${host}:${pid}`).join(', ') || 'none'],
      ['Sessions', `at FileMaker: ${counted({ ...sessions }, {})}`],
    );
  }
  return [
    ...lines,
    '',
    renderFacts(facts, output),
    '',
    output.dress('quiet', `As of ${output.time(status.at)} ${output.timeZone}.`),
  ].join('\n');
}

/** The words of the status page. */
const EVENT_WORDS = {
  received: 'waiting',
  processing: 'in hand',
  processed: 'handled',
  ignored: 'not needed',
  parked: 'waiting for you',
};
const PLACE_WORDS: Readonly<Record<MoneyPlace, string>> = {
  'for-you': 'waiting for you',
  'being-checked': 'sent, answer lost, being checked',
  'on-the-way': 'on the way',
  found: 'found by reconciliation',
};
const EFFECT_WORDS = { sending: 'being sent', unknown: 'sent, answer lost, being checked', parked: 'waiting for you' };

/** `3 waiting for you, 120 done`: what is zero is left out. */
function counted(counts: Readonly<Record<string, number>>, words: Readonly<Record<string, string>>): string {
  const named = Object.entries(counts).filter(([, count]) => count > 0);
  return named.length === 0 ? 'none' : named.map(([name, count]) => `${count} ${words[name] ?? name}`).join(', ');
}

async function run({ all }: { all?: boolean }): Promise<CommandResult> {
  const { status, timeZone, mode } = await withDatabase(async ({ database, config }) => ({
    status: await readStatus(database, migrationSources, config.windows, config.mode),
    timeZone: config.timezone,
    mode: config.mode,
  }));
  return { fine: status.fine, json: status, timeZone, text: (output) => describe(status, all === true, mode, output) };
}

export function addStatus(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('status')
    .summary('how the bridge stands, and what waits for you')
    .description(
      'Asks PostgreSQL how the bridge stands: ten lines, the most urgent first, each with the command to type next. Exit 0: nothing waits for a person; 1: something does.',
    )
    .option('--all', 'every line, however many')
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge status', './bridge status --json | jq .figures.effects.counts'))
    .action((options: { all?: boolean }) => report(() => run(options)));
}
