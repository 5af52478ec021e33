import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createSupervisor,
  readListening,
  type SupervisedApp,
  type Supervisor,
  type SupervisorEvent,
} from './supervisor';

/** A program of one line, in place of an app. */
const program = (name: string, source: string, rest: Partial<SupervisedApp> = {}): SupervisedApp => ({
  name,
  command: process.execPath,
  args: ['-e', source],
  env: { PATH: process.env.PATH },
  shutdownSeconds: 20,
  ...rest,
});
const drains = 'process.on("SIGTERM", () => process.exit(0)); console.log("up"); setInterval(() => {}, 1000);';

interface Watch {
  supervisor: Supervisor;
  events: SupervisorEvent[];
  lines: string[];
  /** Resolves with the n-th event (from 1) that fits. */
  event<K extends SupervisorEvent['kind']>(kind: K, nth?: number): Promise<Extract<SupervisorEvent, { kind: K }>>;
  line(text: string): Promise<void>;
}

const open: Supervisor[] = [];
afterEach(async () => {
  for (const supervisor of open.splice(0)) {
    supervisor.stop();
    await supervisor.ended;
  }
});

function watch(apps: SupervisedApp[], times: Record<string, number> = {}): Watch {
  const events: SupervisorEvent[] = [];
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  const tell = (): void => {
    for (const waiter of waiters) waiter();
  };
  const supervisor = createSupervisor({
    apps,
    times: { backoffMs: 5, backoffMsMax: 40, readyEveryMs: 5, ...times },
    onLine: (app, line) => {
      lines.push(`${app}: ${line}`);
      tell();
    },
    onEvent: (event) => {
      events.push(event);
      tell();
    },
  });
  open.push(supervisor);
  const when = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = look();
        if (found === undefined) return;
        waiters.delete(check);
        resolve(found);
      };
      waiters.add(check);
      check();
    });
  supervisor.start();
  return {
    supervisor,
    events,
    lines,
    event: <K extends SupervisorEvent['kind']>(kind: K, nth = 1) =>
      when(() => {
        const fitting = events.filter((event): event is Extract<SupervisorEvent, { kind: K }> => event.kind === kind);
        return fitting[nth - 1];
      }),
    line: async (text) => {
      await when(() => lines.find((line) => line === text));
    },
  };
}

test('a crashed app is started again, each time after twice the wait, up to the longest', async () => {
  const { event, events } = watch([program('a', 'process.exit(3)')]);
  await event('ended', 6);
  const waits = events.flatMap((one) => (one.kind === 'ended' ? [one.againInMs] : []));
  expect(waits.slice(0, 6)).toEqual([5, 10, 20, 40, 40, 40]);
  expect(events.find((one) => one.kind === 'ended')).toMatchObject({ app: 'a', how: 'exit code 3' });
});

test('an app that had lived long enough starts again after the shortest wait', async () => {
  const { event, events } = watch([program('a', 'process.exit(3)')], { steadyMs: 0 });
  await event('ended', 4);
  expect(events.flatMap((one) => (one.kind === 'ended' ? [one.againInMs] : [])).slice(0, 4)).toEqual([5, 5, 5, 5]);
});

test('one that is killed comes back while the others run on untouched', async () => {
  const { event, events, line } = watch([program('a', drains), program('b', drains)]);
  await Promise.all([line('a: up'), line('b: up')]);
  const { pid } = await event('started');
  process.kill(pid, 'SIGKILL');
  expect(await event('ended')).toMatchObject({ app: 'a', how: 'SIGKILL' });
  expect(await event('started', 3)).toMatchObject({ app: 'a' });
  expect(events.filter((one) => one.kind === 'started' && one.app === 'b')).toHaveLength(1);
});

test('stop drains all, and it is clean only when every one ended with 0', async () => {
  const good = watch([program('a', drains), program('b', drains)]);
  await Promise.all([good.line('a: up'), good.line('b: up')]);
  good.supervisor.stop();
  expect(await good.supervisor.ended).toEqual({ clean: true, faulty: undefined });
  const bad = watch([program('a', drains), program('b', drains.replace('exit(0)', 'exit(1)'))]);
  await Promise.all([bad.line('a: up'), bad.line('b: up')]);
  bad.supervisor.stop();
  expect(await bad.supervisor.ended).toEqual({ clean: false, faulty: undefined });
});

test('what does not end in its time is killed, and that is not clean', async () => {
  const deaf = 'process.on("SIGTERM", () => console.log("no")); console.log("up"); setInterval(() => {}, 1000);';
  const { supervisor, line, events } = watch([program('a', deaf, { shutdownSeconds: 0.2 })], { killAfterMs: 100 });
  await line('a: up');
  supervisor.stop();
  expect(await supervisor.ended).toEqual({ clean: false, faulty: undefined });
  expect(events.at(-1)).toEqual({ kind: 'drained', app: 'a', how: 'SIGKILL' });
});

test('a stop while one waits to be started again starts nothing more', async () => {
  const { supervisor, event, events } = watch([program('a', 'process.exit(1)')], {
    backoffMs: 60_000,
    backoffMsMax: 60_000,
  });
  await event('ended');
  supervisor.stop();
  expect(await supervisor.ended).toEqual({ clean: true, faulty: undefined });
  expect(events.filter((one) => one.kind === 'started')).toHaveLength(1);
});

test('exit code 78 is not tried again: everything stops, and the app is named', async () => {
  // b may end before a has said anything: nothing here waits for a line of a.
  const { supervisor, events } = watch([program('a', drains), program('b', 'process.exit(78)')]);
  expect(await supervisor.ended).toEqual({ clean: false, faulty: 'b' });
  expect(events.filter((one) => one.kind === 'started' && one.app === 'b')).toHaveLength(1);
  expect(events.filter((one) => one.kind === 'drained').map(({ app }) => app)).toEqual(['a']);
});

test('a program that is not there is an ending like any other', async () => {
  const { event } = watch([program('a', '', { command: '/nowhere/node' })]);
  expect((await event('ended', 2)).how).toContain('ENOENT');
});

describe('readiness', () => {
  let server: Server;
  let ready = false;
  let opsUrl = '';
  beforeEach(async () => {
    ready = false;
    server = createServer((_request, response) => {
      response.writeHead(ready ? 200 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ready, checks: { postgres: ready ? 'ok' : 'ECONNREFUSED' } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opsUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  test('the reason is told once when it takes long, and the addresses when all are ready', async () => {
    const says = `console.log(JSON.stringify({ msg: "listening", url: "http://x:1", opsUrl: "${opsUrl}" })); ${drains}`;
    const { supervisor, event, events } = watch([program('a', says), program('b', drains, { opsUrl })], {
      notReadyAfterMs: 50,
      readyAskMs: 30_000,
    });
    await event('not-ready', 2);
    const reasons = new Map(events.flatMap((one) => (one.kind === 'not-ready' ? [[one.app, one.because]] : [])));
    expect(reasons.get('b')).toBe('postgres: ECONNREFUSED');
    // a has to say where it listens first, and on a busy machine that takes longer than the wait.
    expect(['postgres: ECONNREFUSED', 'has not said where it listens']).toContain(reasons.get('a'));
    ready = true;
    const addresses = await supervisor.allReady;
    expect(addresses.map(({ name, url, opsUrl: ops }) => [name, url, ops])).toEqual([
      ['a', 'http://x:1', opsUrl],
      ['b', null, opsUrl],
    ]);
    expect(events.filter(({ kind }) => kind === 'not-ready')).toHaveLength(2);
  });
});

test.each([
  ['{"msg":"listening","url":"http://a:1","opsUrl":"http://b:2"}', { url: 'http://a:1', opsUrl: 'http://b:2' }],
  ['{"msg":"listening"}', { url: undefined, opsUrl: undefined }],
  ['{"msg":"a customer wrote \\"listening\\"","url":"http://evil"}', undefined],
  ['not json but "listening"', undefined],
  ['{"msg":"drained"}', undefined],
])('the line %s says %j', (line, said) => {
  expect(readListening(line)).toEqual(said);
});
