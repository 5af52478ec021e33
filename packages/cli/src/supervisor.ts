import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** One program that is kept running. */
export interface SupervisedApp {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Seconds it may take from SIGTERM to its end. */
  readonly shutdownSeconds: number;
  /** Where `/readyz` is, when that is known before it says so itself. */
  readonly opsUrl?: string | undefined;
  /** Its public address, likewise. */
  readonly url?: string | undefined;
}

export interface AppAddresses {
  readonly name: string;
  readonly pid: number;
  readonly url: string | null;
  readonly opsUrl: string | null;
}

export type SupervisorEvent =
  | { readonly kind: 'started'; readonly app: string; readonly pid: number }
  | { readonly kind: 'ready'; readonly app: string; readonly pid: number }
  /** Said once per start, when readiness takes long. */
  | { readonly kind: 'not-ready'; readonly app: string; readonly because: string }
  | { readonly kind: 'ended'; readonly app: string; readonly how: string; readonly againInMs: number }
  | { readonly kind: 'drained'; readonly app: string; readonly how: string }
  /** Exit code 78: starting it again would end the same way, so everything stops. */
  | { readonly kind: 'faulty'; readonly app: string }
  | { readonly kind: 'killed'; readonly app: string; readonly afterSeconds: number };

export interface SupervisorOptions {
  readonly apps: readonly SupervisedApp[];
  readonly onLine: (app: string, line: string) => void;
  readonly onEvent: (event: SupervisorEvent) => void;
  /** Times in ms, for tests. */
  readonly times?: Partial<typeof TIMES>;
}

export interface Supervisor {
  start(): void;
  /** Resolves when each app has been ready once; rejects never. Stays open when that does not happen. */
  readonly allReady: Promise<readonly AppAddresses[]>;
  /** SIGTERM to all, SIGKILL to what outlasts its time. Safe to call twice: the second call passes the signal on again. */
  stop(): void;
  /** Resolves when every app has ended after `stop`, or after one said that its configuration is faulty. */
  readonly ended: Promise<SupervisorEnd>;
}

export interface SupervisorEnd {
  /** Every app that was running ended by itself with 0. */
  readonly clean: boolean;
  /** Set when an app ended with 78. */
  readonly faulty: string | undefined;
}

export const EXIT_CONFIGURATION = 78;
const TIMES = {
  /** First wait before a crashed app starts again; doubles up to the longest. */
  backoffMs: 1_000,
  backoffMsMax: 30_000,
  /** Who lived so long starts again after the first wait. */
  steadyMs: 60_000,
  readyEveryMs: 250,
  readyAskMs: 2_000,
  notReadyAfterMs: 10_000,
  /** Beyond an app's own time for draining. */
  killAfterMs: 5_000,
};

/** Where a log line says that the app listens. */
export function readListening(line: string): { url: string | undefined; opsUrl: string | undefined } | undefined {
  if (!line.includes('"listening"')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null || Reflect.get(entry, 'msg') !== 'listening') return undefined;
    const text = (name: string): string | undefined => {
      const value: unknown = Reflect.get(entry, name);
      return typeof value === 'string' ? value : undefined;
    };
    return { url: text('url'), opsUrl: text('opsUrl') };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Ready, or why not: `postgres: away, redis: ok` as `/readyz` says it. */
async function askReady(opsUrl: string, timeoutMs: number): Promise<{ ready: boolean; because: string }> {
  try {
    const answer = await fetch(new URL('/readyz', opsUrl), { signal: AbortSignal.timeout(timeoutMs) });
    if (answer.ok) return { ready: true, because: '' };
    const body: unknown = await answer.json();
    const checks: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'checks') : undefined;
    const named = Object.entries(typeof checks === 'object' && checks !== null ? checks : {});
    return {
      ready: false,
      because: named.map(([name, state]) => `${name}: ${String(state)}`).join(', ') || 'not ready',
    };
  } catch {
    // Not listening yet, or an answer in another form: both mean that it is not ready.
    return { ready: false, because: 'does not answer' };
  }
}

/** One app: running, waiting to be started again, or ended for good. */
class Kept {
  readonly #app: SupervisedApp;
  readonly #options: SupervisorOptions;
  readonly #times: typeof TIMES;
  readonly #onEnded: (end: { clean: boolean; faulty: boolean }) => void;
  readonly #onFirstReady: () => void;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #crashes = 0;
  #stopping = false;
  #url: string | undefined;
  #opsUrl: string | undefined;

  constructor(
    app: SupervisedApp,
    options: SupervisorOptions,
    on: { ended: (end: { clean: boolean; faulty: boolean }) => void; firstReady: () => void },
  ) {
    this.#app = app;
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#onEnded = on.ended;
    this.#onFirstReady = on.firstReady;
  }

  get addresses(): AppAddresses {
    return {
      name: this.#app.name,
      pid: this.#child?.pid ?? 0,
      url: this.#url ?? null,
      opsUrl: this.#opsUrl ?? null,
    };
  }

  start(): void {
    const { name, command, args, env, url, opsUrl } = this.#app;
    [this.#url, this.#opsUrl] = [url, opsUrl];
    const startedAt = performance.now();
    // A process group of its own: Ctrl-C reaches only us, and a second signal would make an app leave at once.
    const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
      if (child.pid === undefined) this.#ended(`could not be started: ${error.message}`, null, startedAt);
    });
    if (child.pid === undefined) return;
    this.#options.onEvent({ kind: 'started', app: name, pid: child.pid });
    for (const stream of [child.stdout, child.stderr]) this.#read(stream);
    // `close` comes after the last line was read.
    child.once('close', (code, signal) => {
      this.#ended(failure?.message ?? (signal === null ? `exit code ${code}` : signal), code, startedAt);
    });
    void this.#watchReadiness(child, startedAt);
  }

  #read(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => {
      const listening = readListening(line);
      if (listening !== undefined) {
        this.#url = listening.url ?? this.#url;
        this.#opsUrl = listening.opsUrl ?? this.#opsUrl;
      }
      this.#options.onLine(this.#app.name, line);
    });
  }

  async #watchReadiness(child: ChildProcess, startedAt: number): Promise<void> {
    const { readyEveryMs, readyAskMs, notReadyAfterMs } = this.#times;
    let told = false;
    const isCurrent = (): boolean => this.#child === child && !this.#stopping;
    while (isCurrent()) {
      const { ready, because } =
        this.#opsUrl === undefined
          ? { ready: false, because: 'has not said where it listens' }
          : await askReady(this.#opsUrl, readyAskMs);
      if (!isCurrent()) return;
      if (ready) {
        this.#options.onEvent({ kind: 'ready', app: this.#app.name, pid: child.pid ?? 0 });
        this.#onFirstReady();
        return;
      }
      if (!told && performance.now() - startedAt > notReadyAfterMs) {
        told = true;
        this.#options.onEvent({ kind: 'not-ready', app: this.#app.name, because });
      }
      await new Promise((resolve) => setTimeout(resolve, readyEveryMs));
    }
  }

  #ended(how: string, code: number | null, startedAt: number): void {
    this.#child = undefined;
    clearTimeout(this.#timer);
    if (this.#stopping) {
      this.#options.onEvent({ kind: 'drained', app: this.#app.name, how });
      this.#onEnded({ clean: code === 0, faulty: false });
      return;
    }
    if (code === EXIT_CONFIGURATION) {
      this.#stopping = true;
      this.#options.onEvent({ kind: 'faulty', app: this.#app.name });
      this.#onEnded({ clean: false, faulty: true });
      return;
    }
    const { backoffMs, backoffMsMax, steadyMs } = this.#times;
    this.#crashes = performance.now() - startedAt >= steadyMs ? 1 : this.#crashes + 1;
    const againInMs = Math.min(backoffMsMax, backoffMs * 2 ** Math.min(this.#crashes - 1, 20));
    this.#options.onEvent({ kind: 'ended', app: this.#app.name, how, againInMs });
    this.#timer = setTimeout(() => this.start(), againInMs);
  }

  stop(): void {
    const again = this.#stopping;
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) {
      if (!again) this.#onEnded({ clean: true, faulty: false });
      return;
    }
    child.kill('SIGTERM');
    const afterSeconds = this.#app.shutdownSeconds + this.#times.killAfterMs / 1_000;
    this.#timer = setTimeout(() => {
      this.#options.onEvent({ kind: 'killed', app: this.#app.name, afterSeconds });
      child.kill('SIGKILL');
    }, afterSeconds * 1_000);
  }

  /** For the case that we end without having stopped: nothing may be left behind. */
  abandon(): void {
    this.#child?.kill('SIGTERM');
  }
}

/**
 * Keeps apps running: starts them side by side, starts a crashed one again after a growing wait, asks each whether it is
 * ready, and stops all together.
 */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  let running = options.apps.length;
  let clean = true;
  let faulty: string | undefined;
  const waiting = new Set(options.apps.map(({ name }) => name));
  const ended = Promise.withResolvers<SupervisorEnd>();
  const allReady = Promise.withResolvers<readonly AppAddresses[]>();
  const kept = options.apps.map(
    (app) =>
      new Kept(app, options, {
        firstReady: () => {
          waiting.delete(app.name);
          if (waiting.size === 0) allReady.resolve(kept.map(({ addresses }) => addresses));
        },
        ended: (end) => {
          running -= 1;
          clean &&= end.clean;
          if (end.faulty) {
            faulty ??= app.name;
            stop();
          }
          if (running === 0) {
            process.off('exit', abandonAll);
            ended.resolve({ clean, faulty });
          }
        },
      }),
  );
  const abandonAll = (): void => {
    for (const one of kept) one.abandon();
  };
  function stop(): void {
    for (const one of kept) one.stop();
  }
  return {
    start: () => {
      process.once('exit', abandonAll);
      for (const one of kept) one.start();
    },
    allReady: allReady.promise,
    stop,
    ended: ended.promise,
  };
}
