import { createLogger } from './create-logger';
import { type ProcessEdge, type RunningApp, runApp } from './run-app';

function setup(shutdownSeconds = 5) {
  const lines: Record<string, unknown>[] = [];
  const listeners = new Map<string, (detail: unknown) => void>();
  const exits: number[] = [];
  let onExit: (code: number) => void = () => undefined;
  const exited = new Promise<number>((resolve) => {
    onExit = resolve;
  });
  let errorText = '';
  const edge: ProcessEdge = {
    on: (name, listener) => {
      listeners.set(name, listener);
    },
    exit: (code) => {
      exits.push(code);
      onExit(code);
    },
    writeError: (text) => {
      errorText += text;
    },
  };
  return {
    lines,
    exits,
    exited,
    errorText: () => errorText,
    raise: (name: string, detail?: unknown) => listeners.get(name)?.(detail),
    run: (start: () => Promise<RunningApp>, configure = () => ({ logLevel: 'info' as const, shutdownSeconds })) =>
      runApp({
        name: 'test',
        configure,
        start,
        edge,
        logger: createLogger({ name: 'test', destination: { write: (line) => lines.push(JSON.parse(line)) } }),
      }),
  };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}

describe('runApp', () => {
  test('a started app says so in one line with its addresses', async () => {
    const { run, lines } = setup();
    await run(async () => ({ url: 'http://127.0.0.1:1', opsUrl: 'http://127.0.0.1:2', stop: async () => undefined }));
    expect(lines).toEqual([
      expect.objectContaining({ msg: 'listening', url: 'http://127.0.0.1:1', opsUrl: 'http://127.0.0.1:2' }),
    ]);
  });

  test.each(['SIGTERM', 'SIGINT'])('%s waits for the work in hand, then exits 0', async (signal) => {
    const { run, raise, exits, exited } = setup();
    const work = deferred<void>();
    await run(async () => ({ stop: () => work.promise }));
    raise(signal);
    expect(exits).toEqual([]);
    work.resolve();
    expect(await exited).toBe(0);
  });

  test('a signal that comes while starting still stops the app', async () => {
    const { run, raise, exited } = setup();
    const started = deferred<RunningApp>();
    const running = run(() => started.promise);
    raise('SIGTERM');
    let stops = 0;
    started.resolve({
      stop: async () => {
        stops += 1;
      },
    });
    await running;
    expect(await exited).toBe(0);
    expect(stops).toBe(1);
  });

  test('a second signal leaves at once with 130', async () => {
    const { run, raise, exits } = setup();
    const work = deferred<void>();
    await run(async () => ({ stop: () => work.promise }));
    raise('SIGTERM');
    raise('SIGINT');
    expect(exits).toEqual([130]);
    work.resolve();
  });

  test('work that outlasts the patience, or a failing stop, ends with 1 and says why', async () => {
    const late = setup(0.01);
    await late.run(async () => ({ stop: () => new Promise(() => undefined) }));
    late.raise('SIGTERM');
    expect(await late.exited).toBe(1);
    expect(late.lines.at(-1)).toMatchObject({ level: 'error', msg: 'drain failed' });
    const failing = setup();
    await failing.run(async () => ({ stop: () => Promise.reject(new Error('stuck')) }));
    failing.raise('SIGTERM');
    expect(await failing.exited).toBe(1);
  });

  test('a faulty configuration prints every fault on stderr and exits 78 without starting', async () => {
    const { run, exits, errorText } = setup();
    let started = false;
    await run(
      async () => {
        started = true;
        return { stop: async () => undefined };
      },
      () => {
        throw Object.assign(new Error('The configuration has 2 faults:\n  A: is missing\n  B: is missing'), {
          name: 'ConfigurationError',
          exitCode: 78,
        });
      },
    );
    expect(exits).toEqual([78]);
    expect(started).toBe(false);
    expect(errorText()).toBe('test: The configuration has 2 faults:\n  A: is missing\n  B: is missing\n');
  });

  test('a failed start, an uncaught exception and an unhandled rejection are each one fatal line and exit 1', async () => {
    const failed = setup();
    await failed.run(() => Promise.reject(new Error('no port')));
    expect(failed.exits).toEqual([1]);
    expect(failed.lines).toEqual([expect.objectContaining({ level: 'fatal', msg: 'could not start' })]);
    for (const name of ['uncaughtException', 'unhandledRejection']) {
      const app = setup();
      await app.run(async () => ({ stop: async () => undefined }));
      app.raise(name, new Error('bug'));
      expect(app.exits).toEqual([1]);
      expect(app.lines.at(-1)).toMatchObject({ level: 'fatal', err: expect.objectContaining({ message: 'bug' }) });
    }
  });
});
