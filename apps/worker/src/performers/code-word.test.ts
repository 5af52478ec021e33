import { codeWord } from './code-word';

test.each(['301', 'LOW_STOCK', 'started', 'v1.2-x', 'x'.repeat(40)])('the code %s is told as it is', (text) => {
  expect(codeWord(text)).toBe(text);
});

test.each(['', 'failed for anna@example.com', 'Anna Li', 'x'.repeat(41), 'a\nb', 'größe'])(
  'what is no code is not repeated: %j',
  (text) => {
    expect(codeWord(text)).toBeUndefined();
  },
);
