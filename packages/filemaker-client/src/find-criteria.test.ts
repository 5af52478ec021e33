import fc from 'fast-check';
import { exactly } from './find-criteria';

test('Stripe ids stay as they are', () => {
  expect(exactly('cs_test_a1B2-c3')).toBe('==cs_test_a1B2-c3');
});

test('every operator of a find loses its power', () => {
  expect(exactly('!<>…//?@#*\\""~=')).toBe('==\\!\\<\\>\\…\\/\\/\\?\\@\\#\\*\\\\\\"\\"\\~\\=');
  expect(exactly('a@b.example')).toBe('==a\\@b\\.example');
});

test('taking the backslashes away gives any value back, and no live sign is left without one', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const criterion = exactly(value);
      expect(criterion.slice(0, 2)).toBe('==');
      expect(criterion.slice(2).replace(/\\(.)/gsu, '$1')).toBe(value);
      expect(criterion.slice(2).replace(/\\./gsu, '')).toMatch(/^[A-Za-z0-9_-]*$/);
    }),
  );
});
