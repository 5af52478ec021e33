// One PostgreSQL for the whole run; every test makes its own database on it (createTestDatabase). jest compiles the
// TypeScript source on the way, so nothing has to be built first.
module.exports = async () => {
  const { startPostgres } = require('../testing/test-services/src/index.ts');
  const postgres = await startPostgres();
  process.env.TEST_POSTGRES_URL = postgres.url;
  globalThis.bridgeTestPostgres = postgres;
};
