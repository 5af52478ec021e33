import type { Command } from 'commander';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';

/**
 * A rehearsal is a program of its own under testing/, which nothing that is deployed may import: the launcher `bridge`
 * starts it where it was built. Whoever comes here has no such program.
 */
async function run(): Promise<CommandResult> {
  throw new CommandError(
    'REHEARSAL_NOT_HERE',
    'A rehearsal brings stand-ins for Stripe and FileMaker, which are not part of what is deployed. Run it in a checkout of the source: npm install && npm run build && ./bridge rehearse',
  );
}

export function addRehearse(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('rehearse')
    .summary('disasters under load, on throw-away services (source checkout only)')
    .description(
      'Puts the bridge through disasters under load, with throw-away services and stand-ins for Stripe and FileMaker. Needs a built checkout of the source.',
    )
    .argument('[scenario...]', 'which ones; all when left out')
    .option('--seed <number>', 'other payments, and another mixture of disasters')
    .option('--payments <number>', 'instead of each scenario’s own number')
    .option('--list', 'what the scenarios are')
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge rehearse all', './bridge rehearse worker-killed --seed 42'))
    .action(() => report(run));
}
