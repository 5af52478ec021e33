import { createLogger, type Logger, type LogLevel } from './create-logger';
import { redactText } from './redact';

/** What the life of a process needs from its configuration. */
export interface AppConfig {
  readonly logLevel: LogLevel;
  /** From the signal to the end of the process. */
  readonly shutdownSeconds: number;
}

/** A process that serves. Addresses such as `http://127.0.0.1:9464`. */
export interface RunningApp {
  /** Public address, if there is one. */
  url?: string | undefined;
  opsUrl?: string | undefined;
  /** Takes nothing new, finishes what is in hand, closes everything. */
  stop(): Promise<void>;
}

/** The parts of a process that a test replaces. */
export interface ProcessEdge {
  on(
    name: 'SIGTERM' | 'SIGINT' | 'uncaughtException' | 'unhandledRejection',
    listener: (detail: unknown) => void,
  ): void;
  exit(code: number): void;
  writeError(text: string): void;
}

const nodeProcess: ProcessEdge = {
  on: (name, listener) => {
    process.on(name, listener);
  },
  exit: (code) => process.exit(code),
  writeError: (text) => {
    process.stderr.write(text);
  },
};

/**
 * The life of one process, from configuration to exit code:
 * - faulty configuration: every fault in one message on stderr, exit 78;
 * - `start` fails, an exception or a rejection nobody handles: one fatal line, exit 1;
 * - started: one line `listening` with `url` and `opsUrl`;
 * - SIGTERM or SIGINT, also while still starting: `stop` within `shutdownSeconds`, exit 0 (1 if it took longer or failed);
 * - a second signal: exit 130 at once.
 */
export async function runApp<C extends AppConfig>(app: {
  name: string;
  configure: () => C;
  start: (parts: { config: C; logger: Logger }) => Promise<RunningApp>;
  logger?: Logger;
  edge?: ProcessEdge;
}): Promise<void> {
  const edge = app.edge ?? nodeProcess;
  let config: C;
  try {
    config = app.configure();
  } catch (error) {
    const text = error instanceof Error ? error.message : 'the configuration could not be read';
    edge.writeError(`${app.name}: ${redactText(text)}\n`);
    edge.exit(isConfigurationError(error) ? error.exitCode : 1);
    return;
  }
  const logger = app.logger ?? createLogger({ name: app.name, level: config.logLevel });

  const die = (message: string) => (error: unknown) => {
    logger.fatal({ err: error }, message);
    edge.exit(1);
  };
  edge.on('uncaughtException', die('uncaught exception'));
  edge.on('unhandledRejection', die('unhandled rejection'));

  const starting = app.start({ config, logger });
  let signalled = false;
  const onSignal = (signal: string) => () => {
    if (signalled) {
      logger.warn({ signal }, 'second signal: leaving at once');
      edge.exit(130);
      return;
    }
    signalled = true;
    logger.info({ signal, shutdownSeconds: config.shutdownSeconds }, 'draining');
    drain(starting, config.shutdownSeconds).then(
      () => {
        logger.info('drained');
        edge.exit(0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'drain failed');
        edge.exit(1);
      },
    );
  };
  edge.on('SIGTERM', onSignal('SIGTERM'));
  edge.on('SIGINT', onSignal('SIGINT'));

  try {
    const running = await starting;
    logger.info({ url: running.url, opsUrl: running.opsUrl }, 'listening');
  } catch (error) {
    logger.fatal({ err: error }, 'could not start');
    edge.exit(1);
  }
}

async function drain(starting: Promise<RunningApp>, shutdownSeconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`work was still in hand after ${shutdownSeconds} s`)),
      shutdownSeconds * 1_000,
    );
  });
  try {
    await Promise.race([starting.then((running) => running.stop()), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Known by its marks, not by its class: the packages below the apps do not import each other. */
function isConfigurationError(error: unknown): error is Error & { exitCode: number } {
  return error instanceof Error && error.name === 'ConfigurationError' && 'exitCode' in error && error.exitCode === 78;
}
