import { migrate } from '@bridge/database';
import type { Command } from 'commander';
import { commandConfig, migrationSources } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption } from '../options';

async function run(): Promise<CommandResult> {
  const config = commandConfig();
  const applied = (await migrate(config.database.url, migrationSources)).map(({ owner, name }) => `${owner}/${name}`);
  return {
    fine: true,
    json: { applied },
    text: (output) =>
      applied.length === 0
        ? output.dress('fine', 'The database is up to date.')
        : [
            output.dress('fine', `Applied ${applied.length} ${applied.length === 1 ? 'migration' : 'migrations'}:`),
            ...applied.map((name) => `  ${name}`),
          ].join('\n'),
  };
}

export function addMigrate(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('migrate')
    .summary('bring the database up to date')
    .description(
      'Applies every migration that is missing. Safe to run twice and from several machines at once: they wait for each other.',
    )
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge migrate', './bridge migrate --json'))
    .action(() => report(run));
}
