const { workspaceSources } = require('./tooling/workspace-sources.cjs');

// Tests import packages from their source, so that a test never sees an old build.
const moduleNameMapper = Object.fromEntries(
  Object.entries(workspaceSources()).map(([name, file]) => [`^${name}$`, file]),
);

module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/{apps,packages,flows,testing}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper,
  setupFiles: ['<rootDir>/tooling/jest-property-seed.cjs'],
  globalSetup: '<rootDir>/tooling/jest-global-setup.cjs',
  globalTeardown: '<rootDir>/tooling/jest-global-teardown.cjs',
  testTimeout: 180_000,
  maxWorkers: 2,
};
