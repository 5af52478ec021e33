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

export function whyOption(): Option {
  return new Option('--why <text>', 'the reason, kept with your name in the audit table')
    .makeOptionMandatory()
    .argParser((text) => {
      if (text.trim() === '') throw new InvalidArgumentError('Say why in a few words.');
      return text.trim();
    });
}

/** Help text that shows how it is typed. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
