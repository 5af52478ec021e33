import { ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { guard } from './guardian';
import { ServiceError } from './service-error';

/** How a child starts and counts as ready. Times in ms. */
export interface ProcessOptions {
  /** The child's whole environment. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The start is over with the first line (standard output or error) for which this is true. */
  readonly readyWhen?: (line: string) => boolean;
  /** Default 60 s. */
  readonly readyTimeoutMs?: number;
  /** Called for every line as it comes. */
  readonly onLine?: (line: string) => void;
}

/** A child process. It ends with this one, whatever ends this one. */
export interface RunningProcess {
  readonly pid: number;
  /** The last 2,000 lines of standard output and error, in the order in which they came. */
  readonly lines: readonly string[];
  /** The same as one text. */
  readonly output: string;
  /** The exit code; 128 + n when signal n ended it. Never rejects. Reading it makes this process wait for the child. */
  readonly exited: Promise<number>;
  /** SIGTERM, then SIGKILL after `graceMs` (default 30 s); gives the exit code. */
  stop(graceMs?: number): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<number>;
  /** Any other signal, for example SIGSTOP. */
  signal(signal: NodeJS.Signals): void;
  /** The first line, among those kept and those to come, for which the predicate is true. */
  waitForLine(predicate: (line: string) => boolean, timeoutMs: number): Promise<string>;
}

const linesMax = 2_000;
const readyMs = 60_000;
const guardianGraceMs = 5_000;

/** Starts a child that ends at the latest with this process, and waits until it says that it is ready. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<RunningProcess> {
  const child = spawn(command, args, {
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const spawnError = await new Promise<Error | undefined>((resolve) => {
    child.once('spawn', () => resolve(undefined));
    child.once('error', resolve);
  });
  const { pid } = child;
  if (spawnError || pid === undefined) {
    throw new ServiceError('PROCESS_DID_NOT_START', `${command} could not be run: ${spawnError?.message}`);
  }
  const release = guard({ pid, signal: 'SIGTERM', graceMs: guardianGraceMs });

  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  const take = (line: string) => {
    lines.push(line);
    if (lines.length > linesMax) lines.shift();
    options.onLine?.(line);
    for (const watch of watchers) watch(line);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', take);

  let isRunning = true;
  // `close` comes after the last line was read, so nothing that the child said is missed.
  const exited = new Promise<number>((resolve) => {
    child.once('exit', () => {
      isRunning = false;
      release();
    });
    child.once('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });

  const waitForLine = (predicate: (line: string) => boolean, timeoutMs: number) =>
    new Promise<string>((resolve, reject) => {
      const seen = lines.find(predicate);
      if (seen !== undefined) return resolve(seen);
      const finish = () => {
        clearTimeout(timer);
        watchers.delete(watch);
      };
      const fail = (why: string) => {
        finish();
        const lastLines = lines.slice(-20).join('\n');
        reject(
          new ServiceError('LINE_NOT_SEEN', `${[command, ...args].join(' ')} ${why}. Its last lines:\n${lastLines}`),
        );
      };
      const watch = (line: string) => {
        if (!predicate(line)) return;
        finish();
        resolve(line);
      };
      const timer = setTimeout(() => fail(`did not print the awaited line within ${timeoutMs / 1000} s`), timeoutMs);
      watchers.add(watch);
      void exited.then((code) => fail(`ended with code ${code} before the awaited line`));
    });

  const end = async (signal: NodeJS.Signals, graceMs: number) => {
    if (!isRunning) return exited;
    hold(child, true);
    child.kill(signal);
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    const code = await exited;
    clearTimeout(timer);
    return code;
  };

  const running: RunningProcess = {
    pid,
    lines,
    get output() {
      return lines.join('\n');
    },
    get exited() {
      hold(child, true);
      return exited;
    },
    stop: (graceMs = 30_000) => end('SIGTERM', graceMs),
    kill: () => end('SIGKILL', 0),
    signal(signal) {
      if (isRunning) child.kill(signal);
    },
    waitForLine,
  };
  if (options.readyWhen) {
    try {
      await waitForLine(options.readyWhen, options.readyTimeoutMs ?? readyMs);
    } catch (error) {
      await running.kill();
      throw new ServiceError('PROCESS_DID_NOT_START', error instanceof Error ? error.message : String(error));
    }
  }
  // From here a forgotten child does not keep its parent alive; the guardian ends it.
  hold(child, false);
  return running;
}

/** Whether this process waits for the child before it may end. */
function hold(child: ChildProcess, held: boolean): void {
  for (const part of [child, child.stdout, child.stderr]) {
    if (!(part instanceof Socket || part instanceof ChildProcess)) continue;
    if (held) part.ref();
    else part.unref();
  }
}
