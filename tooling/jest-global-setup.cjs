// One PostgreSQL for the whole run; every test makes its own database on it (createTestDatabase). Redis is provided here
// once, before the test files start: two of them installing a package at the same moment would block each other. jest
// compiles the TypeScript source on the way, so nothing has to be built first.
module.exports = async () => {
  const { ensureRedisServer, startPostgres } = require('../testing/test-services/src/index.ts');
  await ensureRedisServer();
  const postgres = await startPostgres();
  process.env.TEST_POSTGRES_URL = postgres.url;
  globalThis.bridgeTestPostgres = postgres;
};
