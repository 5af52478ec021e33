import fc from 'fast-check';
import { type CriterionContext, parseCriterion } from './find-criterion';

const TEXT: CriterionContext = { type: 'text', ignoreCase: true, today: '2026-11-22' };
const NUMBER: CriterionContext = { ...TEXT, type: 'number' };

function meets(criterion: string, value: string, context = TEXT): boolean {
  return parseCriterion(criterion, context)(value, false);
}

function escapeAll(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/gu, (character) => `\\${character}`);
}

describe('find criteria', () => {
  test('an escaped whole-field criterion finds any text and nothing else', () => {
    const anyText = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(anyText, anyText, (text, other) => {
        const exact = parseCriterion(`==${escapeAll(text)}`, { ...TEXT, ignoreCase: false });
        expect(exact(text, false)).toBe(true);
        expect(exact(other, false)).toBe(other === text);
      }),
    );
  });

  test('an unescaped e-mail also finds its neighbours, because @ is any one character', () => {
    expect(meets('==ann@example.com', 'annXexample.com')).toBe(true);
    expect(meets('==ann\\@example.com', 'annXexample.com')).toBe(false);
    expect(meets('==ann\\@example.com', 'ann@example.com')).toBe(true);
  });

  test('without an operator every word must begin a word of the field', () => {
    expect(meets('over ship', 'Overnight Shipping')).toBe(true);
    expect(meets('night', 'Overnight Shipping')).toBe(false);
    expect(meets('over boat', 'Overnight Shipping')).toBe(false);
  });

  test.each([
    ['=', '', true],
    ['=', 'x', false],
    ['*', 'x', true],
    ['*', '', false],
    ['==', '', true],
    ['=ship', 'ship it', true],
    ['=ship', 'shipping', false],
    ['==18637', '18637', true],
    ['==1863', '18637', false],
    ['==INVOICE', 'invoice', true],
    ['==cs_*_1', 'cs_test_1', true],
    ['==cs\\*', 'cs_x', false],
    ['==###', '123', true],
    ['==###', '12a', false],
    ['"nine lives"', 'it has nine lives', true],
    ['"nine lives"', 'nine other lives', false],
    ['"a@b"', 'aXb', false],
    ['*"cap"', 'recap', true],
    ['a...c', 'b', true],
    ['a...c', 'd', false],
    ['<m', 'b', true],
    ['>=m', 'b', false],
    ['//', '2026-11-22T10:00:00', true],
    ['//', '2026-11-21T10:00:00', false],
  ])('text criterion %j on %j is %j', (criterion, value, expected) => {
    expect(meets(criterion, value)).toBe(expected);
  });

  test.each([
    ['100', '100.0', true],
    ['==100', '1000', false],
    ['>99', '100', true],
    ['>99', '', false],
    ['<=100', '100', true],
    ['10...20', '15', true],
    ['10..20', '21', false],
    ['≥100', '99', false],
    ['?', 'none', true],
    ['?', '12', false],
  ])('number criterion %j on %j is %j', (criterion, value, expected) => {
    expect(meets(criterion, value, NUMBER)).toBe(expected);
  });

  test('numbers compare by size for any pair', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (bound, value) => {
        expect(meets(`<${bound}`, String(value), NUMBER)).toBe(value < bound);
        expect(meets(`>=${bound}`, String(value), NUMBER)).toBe(value >= bound);
      }),
    );
  });

  test('any text is read without throwing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (criterion, value) => {
        expect([true, false]).toContain(meets(criterion, value));
      }),
    );
  });
});
