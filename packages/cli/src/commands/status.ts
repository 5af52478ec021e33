import { readStatus, type Status } from '@bridge/operations';
import type { Command } from 'commander';
import { migrationSources, withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { wrap } from '../table';

const MARKS = { broken: '✗', waits: '!', note: '·', fine: '✓' } as const;

function describe(status: Status, output: Output): string {
  const lines = status.lines.flatMap(({ tone, sentence, next }) => [
    `${output.dress(tone, MARKS[tone])} ${wrap(sentence, output.width - 2, '  ')}`,
    ...(next === null ? [] : [`    ${output.dress('command', next)}`]),
  ]);
  const { figures } = status;
  const facts: [string, string][] = [['Bridge', `${status.version}, PostgreSQL ${status.postgresql}`]];
  if (figures !== null) {
    const { inbox, effects, processes, filemakerSessions: sessions } = figures;
    facts.push(
      ['Events', counted(inbox.counts)],
      ['Effects', counted(effects.counts)],
      ['Processes', processes.living.map(({ app, host, pid }) => `${app} ${host}:${pid}`).join(', ') || 'none'],
      ['FileMaker', `sessions: ${counted({ ...sessions })}`],
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

/** `3 parked, 120 done`: what is zero is left out. */
function counted(counts: Readonly<Record<string, number>>): string {
  const named = Object.entries(counts).filter(([, count]) => count > 0);
  return named.length === 0 ? 'none' : named.map(([name, count]) => `${count} ${name}`).join(', ');
}

async function run(): Promise<CommandResult> {
  const { status, timeZone } = await withDatabase(async ({ database, config }) => ({
    status: await readStatus(database, migrationSources, config.windows),
    timeZone: config.timezone,
  }));
  return { fine: status.fine, json: status, timeZone, text: (output) => describe(status, output) };
}

export function addStatus(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('status')
    .summary('how the bridge stands, and what waits for you')
    .description(
      'Asks PostgreSQL how the bridge stands. Each line that needs something names the command to type next. Exit 0: nothing waits for a person; 1: something does.',
    )
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge status', './bridge status --json | jq .figures.effects.counts'))
    .action(() => report(run));
}
