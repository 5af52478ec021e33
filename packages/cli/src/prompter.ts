import { createInterface } from 'node:readline/promises';
import { createOutput } from './output';
import { askHidden } from './read-password';
import { fold } from './table';

/** A person at a terminal. Everything is said on standard error: standard output is the result's. */
export interface Prompter {
  say(text: string): void;
  ask(question: string): Promise<string>;
  /** Not shown while it is typed. */
  askHidden(question: string): Promise<string>;
}

const folded = (text: string): string =>
  fold(text, createOutput({ timeZone: 'UTC', stream: process.stderr }).sentenceWidth);

export const terminalPrompter: Prompter = {
  say: (text) => {
    process.stderr.write(`${folded(text)}\n`);
  },
  ask: async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return (await lines.question(folded(question))).trim();
    } finally {
      lines.close();
    }
  },
  askHidden: (question) => askHidden(process.stdin, folded(question)),
};

const SHOWN_MOST = 20;
const TRIES = 20;

/**
 * Lets a person choose one of many names by number, by name or by a part of it. A name that is not among them is taken when
 * it is typed twice. `none`: what an empty answer without a default, or 0, means.
 */
export async function chooseName(
  prompter: Prompter,
  question: { asks: string; names: readonly string[]; byDefault: string | undefined; none?: string },
): Promise<string | undefined> {
  const { asks, names, byDefault, none } = question;
  const ending = byDefault === undefined ? '' : ` [${byDefault}]`;
  let shown = names;
  let unknown: string | undefined;
  prompter.say(`\n${asks}`);
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (unknown === undefined) sayList(prompter, shown, none);
    const answer = await prompter.ask(`Number or name${ending}: `);
    if (answer === '' && byDefault !== undefined) return byDefault;
    if (none !== undefined && (answer === '' || answer === '0')) return undefined;
    const byNumber = /^\d+$/.test(answer) ? shown[Number(answer) - 1] : undefined;
    if (byNumber !== undefined) return byNumber;
    if (names.includes(answer) || (answer !== '' && answer === unknown)) return answer;
    unknown = undefined;
    const some = answer === '' ? [] : names.filter((name) => name.toLowerCase().includes(answer.toLowerCase()));
    if (some.length === 1) return some[0];
    if (some.length > 1) {
      shown = some;
      continue;
    }
    if (answer === '') continue;
    unknown = answer;
    prompter.say(`The account does not see "${answer}". Type it once more to take it all the same.`);
  }
  return byDefault;
}

function sayList(prompter: Prompter, names: readonly string[], none: string | undefined): void {
  const width = String(names.length).length;
  if (none !== undefined) prompter.say(`  ${'0'.padStart(width)}  ${none}`);
  names.slice(0, SHOWN_MOST).forEach((name, index) => {
    prompter.say(`  ${String(index + 1).padStart(width)}  ${name}`);
  });
  if (names.length > SHOWN_MOST)
    prompter.say(`  … and ${names.length - SHOWN_MOST} more: type a part of the name to see fewer.`);
}

/** Empty means the default. */
export async function askYesNo(prompter: Prompter, question: string, byDefault: boolean): Promise<boolean> {
  const answer = await prompter.ask(`${question} [${byDefault ? 'Y/n' : 'y/N'}] `);
  return answer === '' ? byDefault : /^y(es)?$/i.test(answer);
}
