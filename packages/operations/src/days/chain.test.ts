import fc from 'fast-check';
import { addDays } from './calendar';
import { breakOf, canonicalJson, digestOf, FIRST_HEAD, headOf, type Link } from './chain';

function chainOf(contents: readonly string[]): Link[] {
  const links: Link[] = [];
  for (const [at, text] of contents.entries()) {
    const previousHead = links.at(-1)?.head ?? FIRST_HEAD;
    const day = addDays('2026-11-01', at);
    const digest = digestOf(text);
    links.push({ day, number: at + 1, contents: text, digest, previousHead, head: headOf(previousHead, day, digest) });
  }
  return links;
}
const firstBreak = (links: readonly Link[]): string | undefined =>
  links.map((link, at) => breakOf(link, links[at - 1])).find((broken) => broken !== undefined)?.day;

const contents = fc.array(fc.string({ maxLength: 20 }), { minLength: 2, maxLength: 8 });

test('an untouched chain holds, also with contents erased here and there', () => {
  fc.assert(
    fc.property(contents, fc.infiniteStream(fc.boolean()), (texts, erase) => {
      const links = chainOf(texts).map((link) => (erase.next().value === true ? { ...link, contents: null } : link));
      expect(firstBreak(links)).toBeUndefined();
    }),
  );
});

test('changed contents are noticed at their own day', () => {
  fc.assert(
    fc.property(contents, fc.nat(), (texts, which) => {
      const links = chainOf(texts);
      const at = which % links.length;
      const forged = links.map((link, index) => (index === at ? { ...link, contents: `${link.contents}!` } : link));
      expect(firstBreak(forged)).toBe(links[at]?.day);
    }),
  );
});

test('a day rewritten with its own digest and head breaks the day after it', () => {
  fc.assert(
    fc.property(contents, fc.nat(), (texts, which) => {
      const links = chainOf(texts);
      const at = which % (links.length - 1);
      const digest = digestOf(`${texts[at]}!`);
      const forged = links.map((link, index) =>
        index === at
          ? { ...link, contents: `${texts[at]}!`, digest, head: headOf(link.previousHead, link.day, digest) }
          : link,
      );
      expect(firstBreak(forged)).toBe(links[at + 1]?.day);
    }),
  );
});

test('a day that was taken out or moved is noticed', () => {
  const links = chainOf(['a', 'b', 'c', 'd']);
  expect(firstBreak(links.filter((_, at) => at !== 1))).toBe(links[2]?.day);
  const renamed = links.map((link, at) => (at === 3 ? { ...link, day: '2026-12-01' } : link));
  expect(firstBreak(renamed)).toBe('2026-12-01');
});

test('canonical JSON does not depend on the order of members, and is JSON', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).reverse());
      expect(canonicalJson(turned)).toBe(canonicalJson(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: 1, a: [undefined === null, { d: null, c: 'é' }] })).toBe(
    '{"a":[false,{"c":"é","d":null}],"b":1}',
  );
});
