import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createTokenSeal, TokenSealError } from './token-seal';

const key = () => randomBytes(32);

function codeOfOpening(open: () => string): string {
  try {
    return `opened as ${open()}`;
  } catch (error) {
    return error instanceof TokenSealError ? error.code : `unexpected ${String(error)}`;
  }
}

test('every token opens again as it was sealed', () => {
  const seal = createTokenSeal([key()]);
  fc.assert(
    fc.property(fc.string(), fc.nat().map(String), (token, id) => {
      expect(seal.open(id, seal.seal(id, token))).toBe(token);
    }),
  );
});

test('a token sealed with another key does not open', () => {
  const sealed = createTokenSeal([key()]).seal('7', 'secret-token');
  expect(codeOfOpening(() => createTokenSeal([key()]).open('7', sealed))).toBe('TOKEN_KEY_UNKNOWN');
});

test('after rotation old tokens still open and new ones need the new key', () => {
  const [oldKey, newKey] = [key(), key()];
  const before = createTokenSeal([oldKey]).seal('7', 'old');
  const rotated = createTokenSeal([newKey, oldKey]);
  expect(rotated.open('7', before)).toBe('old');
  expect(createTokenSeal([newKey]).open('7', rotated.seal('7', 'new'))).toBe('new');
});

test('changing any single bit of a sealed token is noticed', () => {
  const seal = createTokenSeal([key()]);
  const sealed = seal.seal('7', 'secret-token');
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const altered = Buffer.from(sealed);
    altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(codeOfOpening(() => seal.open('7', altered))).toMatch(/^TOKEN_(SEAL_BROKEN|KEY_UNKNOWN)$/);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    expect(codeOfOpening(() => seal.open('7', sealed.subarray(0, length)))).toBe('TOKEN_SEAL_BROKEN');
  }
});

test('a sealed token copied to another session does not open', () => {
  const seal = createTokenSeal([key()]);
  expect(codeOfOpening(() => seal.open('8', seal.seal('7', 'secret-token')))).toBe('TOKEN_SEAL_BROKEN');
});

test('the token is not readable in its sealed form, and no two seals are alike', () => {
  const seal = createTokenSeal([key()]);
  const [one, two] = [seal.seal('7', 'secret-token'), seal.seal('7', 'secret-token')];
  expect(one.toString('latin1')).not.toContain('secret-token');
  expect(one.equals(two)).toBe(false);
});

test('keys of a wrong length and an empty list are refused at once', () => {
  expect(() => createTokenSeal([])).toThrow('At least one');
  expect(() => createTokenSeal([key(), randomBytes(16)])).toThrow('32 bytes');
});
