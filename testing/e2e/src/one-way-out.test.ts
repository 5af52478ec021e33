import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(__dirname, '../../..');

/** Every source file that is shipped, without tests. */
function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (['node_modules', 'dist', 'tests', '.turbo'].includes(name)) return [];
    if (statSync(path).isDirectory()) return sources(path);
    return /(?<![.]test|[.]d)[.]ts$/.test(name) ? [path] : [];
  });
}
const shipped = ['apps', 'packages', 'flows'].flatMap((folder) => sources(join(root, folder)));
const saying = (words: RegExp): string[] =>
  shipped.filter((path) => words.test(readFileSync(path, 'utf8'))).map((path) => relative(root, path));

// Import rules cannot see what needs no import: biome.json denies the globals that go out (`fetch` and its like), and
// tooling/dependency-cruiser.cjs has the imports. The rest is told here.
test('nobody loads a module by a way that the import rules do not see', () => {
  expect(shipped.length).toBeGreaterThan(100);
  expect(saying(/\bgetBuiltinModule\b|\bcreateRequire\b|(?<![.\w])require\(|\bimport\((?!'[^'`$]+'\))/)).toEqual([]);
});

test('a client of somebody outside is made where its calls are told, and nowhere else', () => {
  expect(
    saying(/\bnew (Stripe|Redis|Cluster|Pool|Client|Agent|Dispatcher|Queue|Worker|QueueEvents|FlowProducer)[<(]/),
  ).toEqual([
    'packages/database/src/database.ts',
    'packages/database/src/migrate.ts',
    'packages/filemaker-client/src/http-exchange.ts',
    'packages/jobs/src/failed-board.ts',
    'packages/jobs/src/job-worker.ts',
    'packages/jobs/src/producer.ts',
    'packages/jobs/src/redis-connection.ts',
    'packages/stripe-client/src/create-sdk.ts',
  ]);
});

test('nobody takes a connection out of the pool: a commit on it would be told to nobody', () => {
  expect(saying(/\b(pool|\$client)\s*[.]\s*connect\(|[`'"]\s*(commit|begin)\s*;?\s*[`'"]/i)).toEqual([
    'packages/database/src/database.ts',
    'packages/database/src/migrate.ts',
  ]);
});

describe('the crash hook', () => {
  const hook = join(root, 'testing/e2e/dist/crash-hook.js');
  const run = (program: string, env: Record<string, string>) =>
    spawnSync(process.execPath, [`--require=${hook}`, '-e', program], {
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
      timeout: 20_000,
    });
  const pass = `require('node:diagnostics_channel').channel('bridge:commit').publish({ at: 'before-commit', label: 'x' });`;

  test('refuses a process that runs in production, loudly, before anything of it', () => {
    const { status, stderr, stdout } = run(`console.log('started')`, { NODE_ENV: 'production', CRASH_AT: 'x' });
    expect([status, stdout]).toEqual([78, '']);
    expect(stderr).toContain('NODE_ENV is production: refused');
  });

  test('ends the process as kill -9 does, at the named passing and at no other', () => {
    const twice = `${pass} console.log('one'); ${pass} console.log('two');`;
    const named = run(twice, { CRASH_AT: 'before-commit: x#2' });
    expect([named.signal, named.stdout]).toEqual(['SIGKILL', 'one\n']);
    const other = run(twice, { CRASH_AT: 'before-commit: y' });
    expect([other.status, other.stdout]).toEqual([0, 'one\ntwo\n']);
  });
});
