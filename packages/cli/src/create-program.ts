import { BRIDGE_VERSION } from '@bridge/operations';
import { Command } from 'commander';
import type { CommandResult } from './command-result';
import { addAdopt } from './commands/adopt';
import { addClose } from './commands/close';
import { addDoctor } from './commands/doctor';
import { addEffectsList } from './commands/effects-list';
import { addEffectsResolve } from './commands/effects-resolve';
import { addEffectsShow } from './commands/effects-show';
import { addEventsList } from './commands/events-list';
import { addEventsRejections } from './commands/events-rejections';
import { addEventsReprocess } from './commands/events-reprocess';
import { addEventsShow } from './commands/events-show';
import { addFileMakerCheck } from './commands/filemaker-check';
import { addFileMakerSessions } from './commands/filemaker-sessions';
import { addFindingsAccept } from './commands/findings-accept';
import { addFindingsList } from './commands/findings-list';
import { addFindingsShow } from './commands/findings-show';
import { addForget } from './commands/forget';
import { addGolive } from './commands/golive';
import { addInit } from './commands/init';
import { addMigrate } from './commands/migrate';
import { addPause } from './commands/pause';
import { addProve } from './commands/prove';
import { addReconcile } from './commands/reconcile';
import { addRehearse } from './commands/rehearse';
import { addReplay } from './commands/replay';
import { addReport } from './commands/report';
import { addResume } from './commands/resume';
import { addRunbook } from './commands/runbook';
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
  addDoctor(program, report);
  addRunbook(program, report);
  const events = program.command('events').summary('what arrived from Stripe').description('What arrived from Stripe.');
  addEventsList(events, report);
  addEventsShow(events, report);
  addEventsReprocess(events, report);
  addEventsRejections(events, report);
  const effects = program
    .command('effects')
    .summary('what is owed to FileMaker and others')
    .description('What is owed to FileMaker and others.');
  addEffectsList(effects, report);
  addEffectsShow(effects, report);
  addEffectsResolve(effects, report);
  const filemaker = program
    .command('filemaker')
    .summary('the FileMaker Server behind it')
    .description('The FileMaker Server behind it.');
  addFileMakerCheck(filemaker, report);
  addFileMakerSessions(filemaker, report);
  addProve(program, report);
  addReconcile(program, report);
  const findings = program
    .command('findings')
    .summary('where Stripe, our records and FileMaker differ')
    .description('Where Stripe, our records and FileMaker differ.');
  addFindingsList(findings, report);
  addFindingsShow(findings, report);
  addFindingsAccept(findings, report);
  addReplay(program, report);
  addClose(program, report);
  addReport(program, report);
  addPause(program, report);
  addResume(program, report);
  const user = program
    .command('user')
    .summary('who may log in at the console')
    .description('Who may log in at the console.');
  addUserAdd(user, report);
  addUserList(user, report);
  addGolive(program, report);
  addAdopt(program, report);
  addForget(program, report);
  addRehearse(program, report);
  return program;
}
