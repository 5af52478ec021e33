import { listOperators } from '@bridge/operations';
import type { Command } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption } from '../options';
import { renderTable } from '../table';

async function run(): Promise<CommandResult> {
  const { users, timeZone } = await withDatabase(async ({ database, config }) => ({
    users: await listOperators(database),
    timeZone: config.timezone,
  }));
  return {
    fine: true,
    timeZone,
    json: { users },
    text: (output) =>
      users.length === 0
        ? 'Nobody can log in yet. Add somebody with: ./bridge user add NAME'
        : renderTable(
            users,
            [
              { heading: 'Name', cell: (user) => user.name, least: 12 },
              { heading: `Added (${output.timeZone})`, cell: (user) => output.time(user.createdAt) },
              { heading: 'By', cell: (user) => user.createdBy, least: 12 },
            ],
            output,
          ),
  };
}

export function addUserList(user: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  user
    .command('list')
    .summary('who can log in at the console')
    .description('Lists who can log in at the console. Passwords are stored as hashes and never shown.')
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge user list', './bridge user list --json'))
    .action(() => report(run));
}
