import { ServiceError } from './service-error';
import { createDatabase, type TestDatabase } from './start-postgres';

/**
 * A fresh, empty database on the server that jest's global setup started for this run. The caller brings the
 * migrations. Databases that are not dropped end with the server.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = process.env.TEST_POSTGRES_URL;
  if (!adminUrl) {
    throw new ServiceError(
      'NO_TEST_DATABASE',
      'TEST_POSTGRES_URL is not set. Run the tests from the project folder: npm test, or npx jest packages/<name>.',
    );
  }
  return createDatabase(adminUrl);
}
