import { BRIDGE_VERSION } from '@bridge/operations';
import { Command } from 'commander';
import type { CommandResult } from './command-result';
import { addEffectsList } from './commands/effects-list';
import { addEffectsResolve } from './commands/effects-resolve';
import { addEffectsShow } from './commands/effects-show';
import { addEventsList } from './commands/events-list';
import { addEventsReprocess } from './commands/events-reprocess';
import { addEventsShow } from './commands/events-show';
import { addFileMakerCheck } from './commands/filemaker-check';
import { addFileMakerSessions } from './commands/filemaker-sessions';
import { addInit } from './commands/init';
import { addMigrate } from './commands/migrate';
import { addPause } from './commands/pause';
import { addRehearse } from './commands/rehearse';
import { addResume } from './commands/resume';
import { addStatus } from './commands/status';
import { addUp } from './commands/up';
import { addUserAdd } from './commands/user-add';
import { addUserList } from './commands/user-list';
import { examples } from './options';

/** All commands, each from a file of its own. `report` runs one and prints what it found. */
export function createProgram(report: (work: () => Promise<CommandResult>) => Promise<void>): Command {
  const program = new Command('bridge')
    .description('When a customer has paid at Stripe, a FileMaker script runs exactly once.')
    .version(BRIDGE_VERSION)
    .showHelpAfterError('Try --help.')
    .exitOverride()
    .configureHelp({ helpWidth: 100, showGlobalOptions: false })
    .addHelpText(
      'after',
      `${examples('./bridge init', './bridge migrate', './bridge up', './bridge status', './bridge effects list --state parked')}\nExit codes: 0 fine, 1 something found or failed, 2 wrong usage, 78 faulty configuration.\n`,
    );
  addInit(program, report);
  addMigrate(program, report);
  addUp(program, report);
  addStatus(program, report);
  const events = program.command('events').description('What arrived from Stripe.');
  addEventsList(events, report);
  addEventsShow(events, report);
  addEventsReprocess(events, report);
  const effects = program.command('effects').description('What is owed to FileMaker and others.');
  addEffectsList(effects, report);
  addEffectsShow(effects, report);
  addEffectsResolve(effects, report);
  const filemaker = program.command('filemaker').description('The FileMaker Server behind it.');
  addFileMakerCheck(filemaker, report);
  addFileMakerSessions(filemaker, report);
  addPause(program, report);
  addResume(program, report);
  const user = program.command('user').description('Who may log in at the console.');
  addUserAdd(user, report);
  addUserList(user, report);
  addRehearse(program, report);
  return program;
}
