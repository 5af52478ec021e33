import fc from 'fast-check';
import { documentMentions, hasWordOf, mentions, personWordsIn, plainPieceOf } from './mentions';

test.each([
  ['joann@x.com', false],
  ['jo.ann@x.com', false],
  ['jo-ann@x.com', false],
  ['jo+ann@x.com', false],
  ['jöann@x.com', false],
  ['ann@x.com.au', false],
  ['ann@x.community', false],
  ['ann@x.co-op.com', false],
  ['ann@xxcom', false],
  ['ann@x.com', true],
  ['ANN@X.com', true],
  ['Ann Lee <ann@x.com>', true],
  ['mailto:ann@x.com', true],
  ['"ann@x.com"', true],
  ["'ann@x.com', please", true],
  ['asked by ann@x.com.', true],
  ['...ann@x.com', true],
  ['ann@x.com-Konto', true],
  ['joann@x.com and ann@x.com', true],
])('an address is found whole, and never inside a longer one: %s', (text, expected) => {
  expect(mentions(text, 'ann@x.com')).toBe(expected);
});

test('an id is found whole', () => {
  expect([
    mentions('cs_test_1, cs_test_2', 'cs_test_1'),
    mentions('cs_test_12', 'cs_test_1'),
    mentions('xcs_test_1', 'cs_test_1'),
  ]).toEqual([true, false, false]);
});

test('in a document it is found as it is meant: behind a line’s end, in a key, at any depth, in a text that is no JSON', () => {
  const holds = (document: string) => documentMentions(document, 'ann@x.com');
  expect(holds(JSON.stringify({ a: [{ note: 'gift\nann@x.com\tcalls' }] }))).toBe(true);
  expect(holds(JSON.stringify({ 'ann@x.com': 1 }))).toBe(true);
  expect(holds('<p>ann@x.com</p>')).toBe(true);
  expect(holds(JSON.stringify({ email: 'joann@x.com', note: 'x.com' }))).toBe(false);
});

test('whatever stands around it, a document that has it is in the wide look too', () => {
  const part = fc.string({ unit: 'grapheme', maxLength: 10 });
  fc.assert(
    fc.property(part, part, fc.emailAddress(), (before, behind, address) => {
      const document = JSON.stringify({ a: [`${before} ${address} ${behind}`] });
      expect(documentMentions(document, address)).toBe(true);
      expect(document.toLowerCase()).toContain(plainPieceOf(address));
      expect(plainPieceOf(address).length).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});

test('the words of a buyer are those of names, addresses and telephone numbers, and not those of what was sold', () => {
  const words = new Set(
    personWordsIn(
      JSON.stringify({
        data: {
          object: {
            customer_details: {
              name: 'Ann Lee',
              email: 'ann@shop.example',
              phone: '+44 123',
              address: { line1: 'Elm Road', country: 'GB' },
            },
            line_items: [{ name: 'Blue shirt', description: 'for Wednesday' }],
          },
        },
      }),
    ),
  );
  expect([...words].sort()).toEqual(['123', 'ann', 'elm', 'example', 'lee', 'road', 'shop']);
  expect(hasWordOf('Mrs Lee has called', words)).toBe(true);
  expect(hasWordOf('the webhooks of Wednesday were lost; sleep', words)).toBe(false);
});
