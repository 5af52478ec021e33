import { type Config, type Role, readSoundConfig } from '@bridge/config';
import { createDatabase, type Database, type MigrationSource } from '@bridge/database';
import type { Soundness } from '../soundness';

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
  /** What is sound of them: `sound` says which of the rest a look must leave alone. */
  config: Config;
  sound: Soundness;
  at: Date;
  /** Undefined while DATABASE_URL is faulty. */
  database: Database | undefined;
}

/** An examination that may ask PostgreSQL. */
export type WithDatabase = Examination & { database: Database };

export const openDatabase = (config: Config): Database =>
  createDatabase({ url: config.database.url, poolMax: 4, applicationName: 'bridge-doctor', connectTimeoutMs: 5_000 });

/** The flows that are on. */
export const flowsOn = ({ options, config }: Examination): DoctorOptions['flows'] =>
  options.flows.filter(({ name }) => config.flows.includes(name));

/** What an app of ours is given; the default in place of what is faulty. */
export const asApp = (env: NodeJS.ProcessEnv, role: Role): Config => readSoundConfig(role, env).config;
