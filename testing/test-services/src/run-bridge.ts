import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Values } from './bridge-programs';
import { ServiceError } from './service-error';

const main = join(__dirname, '../../../packages/cli/dist/main.js');
const timeoutMs = 180_000;

/** A command that has ended. */
export interface EndedCommand {
  /** The exit code; null when it was killed, because it took too long. */
  readonly code: number | null;
  /** Standard output alone. */
  readonly out: string;
  /** Standard error alone. */
  readonly err: string;
  /** Both, as they came. */
  readonly text: string;
}

/** How a person has called it. */
export interface BridgeCommandOptions {
  /** Default: the machine's folder for temporary files. Not the project's: a developer's `.env` is no test's business. */
  readonly cwd?: string;
  /** What is typed; without it standard input is at its end. Never a terminal. */
  readonly input?: string;
  /** Default 180,000. */
  readonly timeoutMs?: number;
}

/**
 * `./bridge` with these words, as it was built last, and its end. Its environment is these values and PATH. Rejects with
 * ServiceError when it is not built; an exit code of any kind is no error here.
 */
export async function runBridge(
  words: readonly string[],
  values: Values,
  options: BridgeCommandOptions = {},
): Promise<EndedCommand> {
  if (!existsSync(main))
    throw new ServiceError('PROCESS_DID_NOT_START', 'packages/cli is not built; run: npm run build');
  const child = spawn(process.execPath, [main, ...words], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH, ...values },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? timeoutMs,
  });
  let [out, err, text] = ['', '', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
    text += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    err += piece;
    text += piece;
  });
  // A command that reads nothing may be gone before its input is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, out, err, text };
}
