import { LIST_LIMIT_MAX } from '@bridge/operations';
import { InvalidArgumentError, Option } from 'commander';

export const jsonOption = (does = 'print one JSON object instead of text'): Option => new Option('--json', does);

export function limitOption(): Option {
  return new Option('--limit <count>', `rows at most, 1 to ${LIST_LIMIT_MAX}`).default(20).argParser((text) => {
    const count = Number(text);
    if (!/^\d+$/.test(text) || count < 1 || count > LIST_LIMIT_MAX)
      throw new InvalidArgumentError(`Give a whole number from 1 to ${LIST_LIMIT_MAX}.`);
    return count;
  });
}

export const whyOption = (): Option => optionalWhyOption().makeOptionMandatory();

/** What the audit table says of a command that can be typed without `--why`, when it was. */
export const NO_REASON = 'no reason given';

/** For commands that say by themselves what they are for. */
export const optionalWhyOption = (): Option =>
  new Option('--why <text>', 'the reason, kept with your name in the audit table').argParser((text) => {
    if (text.trim() === '') throw new InvalidArgumentError('Say why in a few words.');
    return text.trim();
  });

/** Plans are shown before they are carried out; this goes on without asking. */
export const yesOption = (): Option => new Option('--yes', 'do it without asking');

/** A moment with its zone; a day alone is its beginning in UTC. */
export function readMoment(text: string): Date {
  const withZone = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const moment = new Date(withZone ? text : Number.NaN);
  if (Number.isNaN(moment.getTime()))
    throw new InvalidArgumentError('Give a moment with its zone, such as 2026-11-01T09:30:00Z, or a day (UTC).');
  return moment;
}

export const momentOption = (flags: string, does: string): Option => new Option(flags, does).argParser(readMoment);

/** Where the page before ended. */
export const cursorOption = (): Option =>
  new Option('--before <id>', 'older than this row: the page behind the one that ended with it').argParser((text) => {
    if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError('Give the number that stands under the page before.');
    return text;
  });

/** Help text that shows how it is typed. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
