import fc from 'fast-check';
import { storableJson, storableText } from './storable-json';

test('what jsonb refuses becomes U+FFFD, and everything else stays as it is', () => {
  expect(storableJson({ a: 'x\u0000y', b: '\ud800', c: '\udc00z' })).toBe(
    '{"a":"x\\ufffdy","b":"\\ufffd","c":"\\ufffdz"}',
  );
  expect(storableJson({ path: 'C:\\u0000', emoji: '\u{1f600}' })).toBe(
    JSON.stringify({ path: 'C:\\u0000', emoji: '\u{1f600}' }),
  );
  expect(storableJson(undefined)).toBe('null');
});

test('any JSON stays JSON and holds nothing that PostgreSQL refuses', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.string({ unit: 'binary' }), (value, text) => {
      const stored = JSON.stringify(JSON.parse(storableJson({ value, text })));
      // What is left without escaped backslashes are escapes that JSON.stringify has made.
      expect(stored.replaceAll('\\\\', '')).not.toMatch(/\\u(?:0000|d[89a-f])/);
      expect(storableText(text)).not.toContain('\u0000');
      expect(storableText(text).isWellFormed()).toBe(true);
    }),
  );
});
