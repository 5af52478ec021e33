import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Migration, MigrationError, pendingMigrations, readMigrations } from './migrate';

const migration = (name: string, rest: Partial<Migration> = {}): Migration => ({
  owner: 'inbox',
  name,
  sha256: `sha of ${name}`,
  text: '',
  ...rest,
});
const FIRST = migration('0001-first.sql');
const SECOND = migration('0002-second.sql');

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof MigrationError) return error.code;
    throw error;
  }
  return 'no error';
}

test('what is not in the ledger is pending, in order of owner and name', () => {
  const other = migration('0001-first.sql', { owner: 'effects' });
  expect(pendingMigrations([FIRST, SECOND, other], [FIRST])).toEqual([SECOND, other]);
  expect(pendingMigrations([FIRST, SECOND], [FIRST, SECOND])).toEqual([]);
});

test('an applied migration that was edited is refused', () => {
  expect(codeOf(() => pendingMigrations([FIRST], [{ ...FIRST, sha256: 'another' }]))).toBe('MIGRATION_CHANGED');
});

test('an applied migration that this build lacks is refused', () => {
  expect(codeOf(() => pendingMigrations([FIRST], [FIRST, SECOND]))).toBe('MIGRATION_MISSING');
});

test('a migration that sorts before an applied one of its owner is refused', () => {
  expect(codeOf(() => pendingMigrations([FIRST, SECOND], [SECOND]))).toBe('MIGRATION_OUT_OF_ORDER');
});

test('the past of an owner that this build does not know is left alone', () => {
  const foreign = { owner: 'newer-flow', name: '0009-later.sql', sha256: 'x' };
  expect(pendingMigrations([FIRST], [foreign])).toEqual([FIRST]);
});

test('an SQL file with a name that would never be applied is refused instead of overlooked', () => {
  const directory = mkdtempSync(join(tmpdir(), 'migrations-'));
  try {
    writeFileSync(join(directory, '0001-good.sql'), 'select 1');
    writeFileSync(join(directory, 'notes.md'), 'not a migration');
    expect(readMigrations([{ owner: 'a', directory }]).map(({ name }) => name)).toEqual(['0001-good.sql']);
    writeFileSync(join(directory, '2-Bad.sql'), 'select 1');
    expect(codeOf(() => readMigrations([{ owner: 'a', directory }]))).toBe('MIGRATION_MISNAMED');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
