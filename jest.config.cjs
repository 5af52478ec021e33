const { readdirSync, existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

// Tests import packages from their source, so that a test never sees an old build.
const folders = ['apps', 'packages', 'testing']
  .flatMap((group) => (existsSync(join(__dirname, group)) ? readdirSync(join(__dirname, group)).map((name) => `${group}/${name}`) : []))
  .concat('flows')
  .filter((folder) => existsSync(join(__dirname, folder, 'package.json')));
const moduleNameMapper = Object.fromEntries(
  folders.map((folder) => {
    const { name } = JSON.parse(readFileSync(join(__dirname, folder, 'package.json'), 'utf8'));
    const source = folder === 'flows' ? 'flows/index.ts' : `${folder}/src/index.ts`;
    return [`^${name}$`, `<rootDir>/${source}`];
  }),
);

module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{apps,packages,flows,testing}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' }, sourceMaps: 'inline' }],
  },
  moduleNameMapper,
  globalSetup: '<rootDir>/tooling/jest-global-setup.cjs',
  globalTeardown: '<rootDir>/tooling/jest-global-teardown.cjs',
  testTimeout: 60_000,
  maxWorkers: 2,
};
