import { type ConfigByRole, ConfigurationError, loadConfig } from '@bridge/config';
import { flowNames, flows } from '@bridge/flows';
import { parseConsoleAdmin } from '@bridge/operations';
import { scheduleNames } from './schedules';

export type SchedulerConfig = ConfigByRole['scheduler'] & {
  readonly consoleAdmin: { name: string; passwordHash: string } | undefined;
};

/** The configuration, with what only the scheduler can judge: a hash that no password would fit, schedules that are none. */
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
  const names = scheduleNames(flows);
  const unknown = Object.keys(config.schedules).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      unknown.map((name) => ({
        variable: `BRIDGE_CONFIG: schedules.${name}`,
        message: `is no schedule of this build; there are: ${names.join(', ')}`,
      })),
    );
  }
  return { ...config, consoleAdmin };
}
