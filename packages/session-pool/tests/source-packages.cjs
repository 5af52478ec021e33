// For child processes of tests: `@bridge/x` means the source of that package, as it does under jest.
const Module = require('node:module');
const { join } = require('node:path');

const resolve = Module._resolveFilename;
Module._resolveFilename = function resolveToSource(request, ...rest) {
  const name = /^@bridge\/([a-z-]+)$/.exec(request)?.[1];
  return resolve.call(this, name ? join(__dirname, '../..', name, 'src/index.ts') : request, ...rest);
};
