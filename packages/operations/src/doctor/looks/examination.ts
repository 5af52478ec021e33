import { type Config, ConfigurationError, loadConfig, type Role } from '@bridge/config';
import { createDatabase, type Database, type MigrationSource } from '@bridge/database';

interface PassOfFlow {
  name: string;
  schedule: { cron: string } | { everyMs: number };
}

export interface DoctorOptions {
  /** The settings as the apps would read them. */
  env: NodeJS.ProcessEnv;
  /** The `.env` that they come from, if any. */
  environmentFile: string | undefined;
  /** Apps of this machine: only what they read is judged. */
  apps: readonly Role[];
  /** All flows of this build. */
  flows: readonly { name: string; wants: readonly string[]; passes: readonly PassOfFlow[] }[];
  migrationSources: readonly MigrationSource[];
  /** Instead of STRIPE_WEBHOOK_URL. */
  webhookUrl?: string | undefined;
}

/** What every look is given: the settings, the moment, and one connection to PostgreSQL for all of them. */
export interface Examination {
  options: DoctorOptions;
  config: Config;
  at: Date;
  database: Database;
}

export const openDatabase = (config: Config): Database =>
  createDatabase({ url: config.database.url, poolMax: 4, applicationName: 'bridge-doctor', connectTimeoutMs: 5_000 });

/** The flows that are on. */
export const flowsOn = ({ options, config }: Examination): DoctorOptions['flows'] =>
  options.flows.filter(({ name }) => config.flows.includes(name));

/** What an app of ours would be given, or its default where its configuration has faults. */
export function asApp<R extends Role>(env: NodeJS.ProcessEnv, role: R): Config | undefined {
  try {
    return loadConfig(role, env);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}
