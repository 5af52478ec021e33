import type { Output, Tone } from './output';
import { wrap } from './table';

export type Fact = readonly [name: string, text: string | null, tone?: Tone | undefined];

/** Names on the left, what they are on the right, within the width; a fact without text is left out. */
export function renderFacts(facts: readonly Fact[], output: Output): string {
  const told = facts.flatMap(([name, text, tone]) => (text === null || text === '' ? [] : [{ name, text, tone }]));
  const width = Math.max(...told.map(({ name }) => name.length));
  const indent = ' '.repeat(width + 2);
  return told
    .map(({ name, text, tone }) => {
      const lines = wrap(text, output.width - width - 2, indent).trimStart();
      return `${output.dress('quiet', name.padEnd(width))}  ${tone === undefined ? lines : output.dress(tone, lines)}`;
    })
    .join('\n');
}
