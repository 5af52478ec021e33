import { type ConfigByRole, ConfigurationError, loadConfig } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { parseConsoleAdmin } from '@bridge/operations';

export type SchedulerConfig = ConfigByRole['scheduler'] & {
  readonly consoleAdmin: { name: string; passwordHash: string } | undefined;
};

/** The configuration, with the one thing checked that only the scheduler can read: a hash that no password would fit. */
export function configureScheduler(env: NodeJS.ProcessEnv = process.env): SchedulerConfig {
  const config = loadConfig('scheduler', env, { knownFlows: flowNames });
  const { admin } = config.console;
  const consoleAdmin = admin === undefined ? undefined : parseConsoleAdmin(admin);
  if (admin !== undefined && consoleAdmin === undefined) {
    throw new ConfigurationError([
      {
        variable: 'CONSOLE_ADMIN',
        message:
          'must be name:scrypt$N$r$p$salt$hash as printed by `./bridge user add NAME --print-hash`; in a shell put it in single quotes, since it holds dollar signs',
      },
    ]);
  }
  return { ...config, consoleAdmin };
}
