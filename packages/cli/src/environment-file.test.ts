import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { commandEnvironment, environmentLine, mergeEnvironment, readEnvironmentFile } from './environment-file';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-env-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the environment goes before the file, variable by variable, and an empty one counts as unset', () => {
  const merged = mergeEnvironment({ A: 'file', B: 'file', C: 'file' }, { A: 'env', B: ' ', D: 'env' });
  expect(merged).toEqual({ A: 'env', B: 'file', C: 'file', D: 'env' });
});

test('a secret file of the environment replaces the secret in the file, and the other way round', () => {
  expect(mergeEnvironment({ KEY: 'file' }, { KEY_FILE: '/run/key' })).toEqual({ KEY_FILE: '/run/key' });
  expect(mergeEnvironment({ KEY_FILE: '/run/key' }, { KEY: 'env' })).toEqual({ KEY: 'env' });
});

test('a command takes .env only where the environment names no database: two installations never mix', () => {
  writeFileSync(join(folder, '.env'), 'DATABASE_URL=postgresql://file/x\nTIMEZONE=Europe/Vienna\n');
  expect(commandEnvironment({ PATH: '/bin' }, folder)).toEqual({
    PATH: '/bin',
    DATABASE_URL: 'postgresql://file/x',
    TIMEZONE: 'Europe/Vienna',
  });
  for (const env of [{ DATABASE_URL: 'postgresql://env/x' }, { DATABASE_URL_FILE: '/run/url' }])
    expect(commandEnvironment(env, folder)).toEqual(env);
});

test('a folder without .env changes nothing, and a .env that is a folder is named', () => {
  expect(readEnvironmentFile(folder)).toBeUndefined();
  expect(commandEnvironment({ A: '1' }, folder)).toEqual({ A: '1' });
  mkdirSync(join(folder, '.env'));
  expect(() => readEnvironmentFile(folder)).toThrow('cannot be read (EISDIR)');
});

test('what is written is read back the same by Node and by a shell, whatever it is, or is refused by name', () => {
  const awkward = fc.string({ unit: fc.constantFrom(...`ab '"$\`\\#=%!;&|()<>*?~é\n`.split('')), maxLength: 12 });
  fc.assert(
    fc.property(awkward, (value) => {
      let line: string;
      try {
        line = environmentLine('NAME', value);
      } catch (error) {
        expect((error as Error).message).toContain('NAME_FILE');
        return;
      }
      expect(parseEnv(`${line}\nNEXT=1\n`)).toEqual({ NAME: value, NEXT: '1' });
    }),
    { numRuns: 2_000 },
  );
  for (const value of ['a#b', 'pass word', '$HOME', '`id`', "it's", 'a"b', '', ' padded ', 'scrypt$16384$8$1$x+/=$y']) {
    const shell = execFileSync('/bin/sh', ['-c', `${environmentLine('NAME', value)}; printf %s "$NAME"`]);
    expect(shell.toString()).toBe(value);
  }
  expect(() => environmentLine('FILEMAKER_PASSWORD', `a'b"c$`)).toThrow('FILEMAKER_PASSWORD_FILE');
});
