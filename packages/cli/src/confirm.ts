import { CommandError } from './failure';
import { askYesNo, terminalPrompter } from './prompter';

/**
 * Shows what is about to be changed and asks. Without a terminal (or with `--json`) nobody can be asked: then only `--yes`
 * goes on, or a plan that is `harmless`, since it changes the fate of nothing that is recorded. The plan goes to standard
 * error, so that the result alone stands on standard output.
 */
export async function confirmPlan(
  plan: string,
  options: { yes: boolean; json: boolean; harmless?: boolean },
): Promise<boolean> {
  if (options.yes) return true;
  const nobodyIsHere = options.json || process.stdin.isTTY !== true;
  if (nobodyIsHere && options.harmless === true) return true;
  if (nobodyIsHere)
    throw new CommandError('NOT_CONFIRMED', `${plan}\nNobody is here to be asked. Give --yes to do this.`, 2);
  terminalPrompter.say(plan);
  return askYesNo(terminalPrompter, 'Do this?', false);
}
