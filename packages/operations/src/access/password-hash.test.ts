import { hashPassword, parsePasswordHash, passwordMatches } from './password-hash';

test('a password matches its own hash and no other, and the hash has the documented form', async () => {
  const hash = await hashPassword('correct horse battery');
  expect(hash).toMatch(/^scrypt\$32768\$8\$1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=$/);
  expect(await passwordMatches('correct horse battery', hash)).toBe(true);
  expect(await passwordMatches('correct horse batterz', hash)).toBe(false);
  expect(await hashPassword('correct horse battery')).not.toBe(hash);
});

test('a password typed with composed and with decomposed accents is one password', async () => {
  expect(await passwordMatches('cafe\u0301 au lait', await hashPassword('caf\u00e9 au lait'))).toBe(true);
});

test('nobody matches a name that is not there, whatever the password', async () => {
  expect(await passwordMatches('', undefined)).toBe(false);
  expect(await passwordMatches('anything', undefined)).toBe(false);
});

test('a hash of another scheme, or one that would hang the process, is no hash', () => {
  const tail = `$${Buffer.alloc(16).toString('base64')}$${Buffer.alloc(32).toString('base64')}`;
  expect(parsePasswordHash(`scrypt$32768$8$1${tail}`)?.cost).toEqual({ N: 32_768, r: 8, p: 1 });
  for (const head of [
    'bcrypt$32768$8$1',
    'scrypt$1048576$8$1',
    'scrypt$1000$8$1',
    'scrypt$32768$99$1',
    'scrypt$32768$8$9',
  ])
    expect(parsePasswordHash(`${head}${tail}`)).toBeUndefined();
  expect(parsePasswordHash('secret')).toBeUndefined();
});
