import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createFileMakerSimulator } from './filemaker-simulator';

const HELP = `A stateful FileMaker Server (Data API v2) that keeps its own books.

  node dist/main.js [--port N] [--host H] [--config FILE-OR-JSON]

  PORT               same as --port; 0 takes a free port (default)
  HOST               same as --host; default 127.0.0.1
  SIMULATOR_CONFIG   same as --config: settings as inline JSON or a JSON file
  LOG=1              one line per request, tokens masked

The first line on stdout is {"simulator":"filemaker","url":"..."}. SIGTERM and SIGINT end it with exit code 0.
`;

const USAGE = 2;
/** What the sources use is in no older one. */
const OLDEST_NODE = 22;

function readSettings(source: string | undefined): unknown {
  if (source === undefined || source.trim() === '') return {};
  return JSON.parse(source.trimStart().startsWith('{') ? source : readFileSync(source, 'utf8'));
}

async function main(): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new Error(`The simulator needs Node ${OLDEST_NODE} or newer; this is ${process.versions.node}.`);
  }
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      port: { type: 'string' },
      host: { type: 'string' },
      config: { type: 'string' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return;
  }
  const port = Number(values.port ?? process.env.PORT ?? '0');
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error('The port must be a number from 0 to 65535.');
  const settings = readSettings(values.config ?? process.env.SIMULATOR_CONFIG);
  const log = process.env.LOG === '1' ? (line: string) => void process.stdout.write(`${line}\n`) : undefined;
  const simulator = createFileMakerSimulator(settings as object, log);
  const { url } = await simulator.listen({ port, host: values.host ?? process.env.HOST ?? '127.0.0.1' });
  process.stdout.write(`${JSON.stringify({ simulator: 'filemaker', url })}\n`);
  const stop = (): void => {
    simulator.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(USAGE);
}

main().catch(fail);
