import { userInfo } from 'node:os';
import { type Config, loadConfig } from '@bridge/config';
import { createDatabase, type Database } from '@bridge/database';
import { flowMigrations, flowNames } from '@bridge/flows';
import { allMigrations } from '@bridge/operations';
import { commandEnvironment } from './environment-file';

/** All migrations of this build, in order. */
export const migrationSources = allMigrations(flowMigrations);

/** Who is at the keyboard, for audit rows. */
export function operatorAtKeyboard(): string {
  try {
    return `cli:${userInfo().username}`;
  } catch {
    // A container may run under a number that has no name.
    return `cli:${process.getuid?.() ?? 'unknown'}`;
  }
}

/** The configuration of a command: from the environment, or from `.env` when the environment names no database. */
export const commandConfig = (): Config => loadConfig('cli', commandEnvironment(), { knownFlows: flowNames });

/** Opens the database for one command and closes it whatever happens. */
export async function withDatabase<T>(work: (parts: { database: Database; config: Config }) => Promise<T>): Promise<T> {
  const config = commandConfig();
  const database = createDatabase({
    url: config.database.url,
    poolMax: config.database.poolMax,
    applicationName: 'bridge-cli',
  });
  try {
    return await work({ database, config });
  } finally {
    await database.close();
  }
}
