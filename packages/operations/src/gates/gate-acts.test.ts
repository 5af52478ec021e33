import { parseScope, scopeAsTyped } from './gate-acts';

test.each([
  [['filemaker'], 'filemaker'],
  [['script', 'Ship', 'Order'], 'script:Ship Order'],
  [['flow', 'invoices'], 'flow:invoices'],
])('%j is the scope %s and is typed back the same', (words, scope) => {
  expect(parseScope(words)).toBe(scope);
  expect(scopeAsTyped(scope)).toBe(words.join(' '));
});

test.each([[[]], [['everything']], [['script']], [['filemaker', 'now']]])('%j is no scope', (words) => {
  expect(parseScope(words)).toBeUndefined();
});
