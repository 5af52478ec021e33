import fc from 'fast-check';
import { documentMentions, mayName, mentions, personWordsIn, plainPieceOf } from './mentions';

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
  ['jo_ann@x.com', false],
  ['jo--ann@x.com', false],
  ['jo_-_ann@x.com', false],
  ['jo%2Bann%40x.com', false],
  ['j%C3%B6ann@x.com', false],
  ['-ann@x.com called', true],
  ['asked --ann@x.com', true],
  ['_ann@x.com_', true],
  ['https://x/?q=%3Cann@x.com%3E', true],
  ['https://x/?email=ann%40x.com&sale=50%', true],
  ['https://x/?next=%252Fsale%253Femail%253Dann%2540x.com', true],
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

test('an umlaut is one letter, however a keyboard composed it', () => {
  const [one, two] = ['m\u00fcller@x.com', 'mu\u0308ller@x.com'];
  expect([mentions(`von ${two}.`, one), mentions(`von ${one}.`, two), mentions('m%C3%BCller@x.com', two)]).toEqual([
    true,
    true,
    true,
  ]);
  expect([mentions('jo\u0308ann@x.com', 'ann@x.com'), mentions('jx\u0302ann@x.com', 'ann@x.com')]).toEqual([
    false,
    false,
  ]);
});

test('JSON inside a string of JSON is read as what it says, a few levels deep, and its buyer is a buyer', () => {
  const inside = (value: unknown, times: number): unknown =>
    times === 0 ? value : { scriptResult: JSON.stringify(inside(value, times - 1)) };
  for (const times of [1, 2, 5]) {
    const document = JSON.stringify(inside({ note: 'gift\nann@x.com' }, times));
    expect([times, documentMentions(document, 'ann@x.com')]).toEqual([times, true]);
    expect(documentMentions(JSON.stringify(inside({ note: 'gift\njoann@x.com' }, times)), 'ann@x.com')).toBe(false);
  }
  expect(documentMentions('{"m":"{\\"n\\":\\"\\\\u003cann@x.com\\\\u003e\\"}"}', 'ann@x.com')).toBe(true);
  const buyer = inside({ customer_details: { name: 'Lee' } }, 2);
  expect(personWordsIn(JSON.stringify(buyer))).toEqual([{ word: 'lee', of: 'name' }]);
});

// Each of these takes hours where a step reads the text anew from each of its places, and a stack where it is one call deep each.
test.each([
  ['signs before', `${'-'.repeat(1_000_000)}ann@x.co`, false],
  ['addresses behind signs', `${'a-'.repeat(30)}ann@x.com `.repeat(15_000), false],
  ['a long end', `ann@x.com-${'a-'.repeat(500_000)}`, true],
  ['longer ones in a row', 'ann@x.com.'.repeat(100_000), false],
  ['percent signs', '%25'.repeat(350_000), false],
  ['deep lists', `${'['.repeat(200_000)}"ann@x.com"${']'.repeat(200_000)}`, true],
  ['deep objects', `${'{"shipping":'.repeat(80_000)}"ann@x.com"${'}'.repeat(80_000)}`, true],
  ['what begins like JSON', JSON.stringify(Array.from({ length: 30_000 }, () => `{"a":["${'['.repeat(20)}`)), false],
])('a megabyte of %s is read to its end', (_name, text, expected) => {
  expect(documentMentions(text, 'ann@x.com')).toBe(expected);
});

test('whatever stands around it and however it is written, a document that has it is in the wide look too', () => {
  const part = fc.string({ unit: 'grapheme', maxLength: 10 });
  const umlauts = fc.constantFrom('', 'ü', 'é', '小');
  fc.assert(
    fc.property(part, part, fc.emailAddress(), umlauts, (before, behind, plain, umlaut) => {
      const address = `${umlaut}${plain}`;
      for (const written of [address, address.normalize('NFD'), encodeURIComponent(address), address.toUpperCase()]) {
        const document = JSON.stringify({ a: [JSON.stringify([`${before} ${written} ${behind}`])] });
        expect(documentMentions(document, address)).toBe(true);
        expect(document.toLowerCase()).toContain(plainPieceOf(address));
      }
      expect(plainPieceOf(address).length).toBeGreaterThan(0);
    }),
    { numRuns: 100 },
  );
  expect(plainPieceOf('\u7528@\u4f8b.\u516c')).toBe('.');
});

const buyer = (name: string, email = 'q@shop.example') =>
  personWordsIn(JSON.stringify({ data: { object: { customer_details: { name, email } } } }));

test('the words of a buyer are those of names, addresses and telephone numbers, and not those of what was sold', () => {
  const words = personWordsIn(
    JSON.stringify({
      data: {
        object: {
          customer_details: {
            name: 'Ann Lee',
            email: 'ann@shop.example',
            phone: '+44 123',
            address: { line1: '5 Elm Road', country: 'GB' },
          },
          line_items: [{ name: 'Blue shirt', description: 'for Wednesday' }],
        },
      },
    }),
  );
  const of = (kind: string) => words.flatMap((one) => (one.of === kind ? [one.word] : [])).sort();
  expect([of('name'), of('contact')]).toEqual([
    ['ann', 'lee'],
    ['123', '44', '5', 'ann', 'elm', 'road', 'shop'],
  ]);
  expect(mayName('the webhooks of Wednesday were lost', words)).toBe(false);
});

test.each([
  ['Mrs LEE has called', 'Ann Lee', true],
  ['Schmidts Zahlung fehlte', 'Anna Schmidt', true],
  ['Frau Schmidt-Meier', 'Anna Schmidt', true],
  ['Mullers payment', 'M\u00fcller', true],
  ['Mu\u0308ller rief an', 'M\u00fcller', true],
  ['refund for Li Wu, angry on the phone', 'Li Wu', true],
  ['webhooks were lost', 'Li Wu', true],
  ['webhooks were lost', 'John B. Smith', true],
  ['客户王小明来电', '王小明', true],
  ['王先生来电', '王小明', true],
  ['웹훅 누락, 김씨', '김철수', true],
  ['webhooks were lost', '王小明', false],
  ['webhooks were lost', 'Ann Lee', false],
  ['shopping cart', 'Ann Lee', true],
  ['q called', 'Ann Lee', true],
])(
  'no part of a name stands in what is kept, and where that cannot be told it is not kept: %s (%s)',
  (text, name, expected) => {
    expect(mayName(text, buyer(name))).toBe(expected);
  },
);
