import type { Closure, Gates } from '@bridge/gates';
import { type GateWatch, type OnOpened, type PeerWatch, watchGates } from './gate-watch';

const watches: GateWatch[] = [];
afterEach(async () => {
  await Promise.all(watches.splice(0).map((watch) => watch.stop()));
});

function signal(): { seen: Promise<void>; tell: () => void } {
  let tell: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { seen, tell };
}
const closure = (scope: string, kind: Closure['kind'] = 'circuit', cause = 'PEER_AWAY'): Closure => ({
  scope,
  kind,
  cause,
  detail: 'as a test says',
  by: 'test',
  since: new Date(0),
});

/** The rows, and one peer whose jobs and probes tell what happens to them. */
function setup(rest: Partial<PeerWatch> = {}) {
  const state = { closures: [] as Closure[], looks: 0, fail: undefined as Error | undefined, took: 0 };
  const paused = signal();
  const resumed = signal();
  const probed = signal();
  const failed = signal();
  const errors: Error[] = [];
  const erred = signal();
  const gates = {
    closures: async () => {
      state.looks += 1;
      if (state.fail !== undefined) throw state.fail;
      return state.closures;
    },
    takeProbe: async () => {
      state.took += 1;
      return true;
    },
    probeFailed: async () => failed.tell(),
    closeCircuit: async (peer: string) => {
      state.closures = state.closures.filter((one) => one.scope !== peer);
      probed.tell();
      return true;
    },
  } as unknown as Gates;
  const peer: PeerWatch = {
    scope: 'filemaker',
    probe: async () => undefined,
    jobs: { pause: async () => paused.tell(), resume: () => resumed.tell() },
    ...rest,
  };
  const opened: string[] = [];
  const start = (onOpened: OnOpened = async () => undefined): GateWatch => {
    const watch = watchGates(
      gates,
      [peer],
      (error) => {
        errors.push(error);
        erred.tell();
      },
      async (closure) => {
        await onOpened(closure);
        opened.push(`${closure.scope} ${closure.cause}`);
      },
    );
    watches.push(watch);
    return watch;
  };
  return { state, gates, paused, resumed, probed, failed, errors, erred, opened, start };
}

test('jobs of a closed peer are paused, and resumed when the gate opens', async () => {
  const bench = setup();
  bench.start();
  bench.state.closures = [closure('filemaker', 'pause', 'PAUSED')];
  await bench.paused.seen;
  expect(bench.state.took).toBe(0); // a person's pause is not probed
  bench.state.closures = [];
  await bench.resumed.seen;
});

test('an absent peer is probed, and its circuit closed once it is back', async () => {
  const bench = setup();
  bench.state.closures = [closure('filemaker')];
  bench.start();
  await bench.probed.seen;
  await bench.resumed.seen;
  expect(bench.state.closures).toEqual([]);
});

test('a peer that is still away is told as such and stays closed', async () => {
  const bench = setup({ probe: () => Promise.reject(new Error('still away')) });
  bench.state.closures = [closure('filemaker')];
  bench.start();
  await bench.failed.seen;
  expect([bench.state.closures.length, bench.errors]).toEqual([1, []]);
});

test('a probe that hangs neither hides a pause made meanwhile, nor is begun twice, nor holds up the end', async () => {
  const hanging = signal();
  const bench = setup({ probe: () => hanging.seen });
  bench.state.closures = [closure('filemaker')];
  const watch = bench.start();
  await bench.paused.seen;
  const looked = bench.state.looks;
  bench.state.closures = [closure('filemaker'), closure('script:X', 'pause', 'PAUSED')];
  const patience = performance.now() + 30_000;
  while (performance.now() < patience && (await watch.closedBecause(['script:X'])) === undefined)
    await new Promise(setImmediate);
  expect(await watch.closedBecause(['script:X'])).toEqual({
    cause: 'PAUSED',
    detail: 'as a test says',
    afterMs: 30_000,
  });
  expect(bench.state.looks).toBeGreaterThan(looked);
  expect(bench.state.took).toBe(1);
  await watch.stop();
  hanging.tell();
});

test('a process that has only just started asks before it lets anything through', async () => {
  const bench = setup();
  bench.state.closures = [closure('script:X', 'halt', 'FILEMAKER_SCRIPT_MISSING')];
  const watch = bench.start();
  expect(await watch.closedBecause(['filemaker', 'script:X'])).toMatchObject({ cause: 'FILEMAKER_SCRIPT_MISSING' });
  expect(await watch.closedBecause(['script:Y'])).toBeUndefined();
});

test('while the gates cannot be read nothing is let through on a guess', async () => {
  const bench = setup();
  bench.state.fail = new Error('PostgreSQL is away');
  const watch = bench.start();
  await expect(watch.closedBecause(['filemaker'])).rejects.toThrow('PostgreSQL is away');
  await bench.erred.seen;
  bench.state.fail = undefined;
  expect(await watch.closedBecause(['filemaker'])).toBeUndefined();
});

test('jobs that could not be paused are paused at the next look', async () => {
  let tries = 0;
  const second = signal();
  const bench = setup({
    jobs: {
      pause: async () => {
        tries += 1;
        if (tries === 1) throw new Error('not now');
        second.tell();
      },
      resume: () => undefined,
    },
  });
  bench.state.closures = [closure('filemaker', 'halt')];
  bench.start();
  await second.seen;
  expect(bench.errors.map(({ message }) => message)).toEqual(['not now']);
});

test('a peer that is paused or in its maintenance window is not probed before that is over', async () => {
  const bench = setup();
  bench.state.closures = [closure('filemaker'), closure('filemaker', 'window', 'MAINTENANCE_WINDOW')];
  bench.start();
  await bench.paused.seen;
  for (let looks = bench.state.looks; bench.state.looks < looks + 2; ) await new Promise(setImmediate);
  expect(bench.state.took).toBe(0);
  bench.state.closures = [closure('filemaker')];
  await bench.probed.seen;
  await bench.resumed.seen;
});

test('whoever finds the peer back resumes at once, not at its next look', async () => {
  const bench = setup();
  bench.state.closures = [closure('filemaker')];
  bench.start();
  await bench.probed.seen;
  const looks = bench.state.looks;
  await bench.resumed.seen;
  expect(bench.state.looks - looks).toBeLessThanOrEqual(1);
});

test('a script or flow that opens again is told once, with the cause for which its effects wait', async () => {
  const told = signal();
  const bench = setup();
  bench.state.closures = [
    closure('script:X', 'pause', 'PAUSED'),
    closure('script:X', 'halt', 'FILEMAKER_SCRIPT_MISSING'),
    closure('flow:invoices', 'window', 'MAINTENANCE_WINDOW'),
    closure('filemaker', 'pause', 'PAUSED'),
  ];
  bench.start(async ({ cause }) => cause === 'MAINTENANCE_WINDOW' && told.tell());
  await bench.paused.seen;
  bench.state.closures = [closure('script:X', 'halt', 'FILEMAKER_SCRIPT_MISSING')];
  await told.seen;
  for (let looks = bench.state.looks; bench.state.looks < looks + 2; ) await new Promise(setImmediate);
  expect(bench.opened).toEqual(['script:X PAUSED', 'flow:invoices MAINTENANCE_WINDOW']);
});

test('an opening that could not be acted upon is acted upon at the next look', async () => {
  const second = signal();
  let tries = 0;
  const bench = setup();
  bench.state.closures = [closure('script:X', 'pause', 'PAUSED'), closure('filemaker', 'pause', 'PAUSED')];
  bench.start(async () => {
    tries += 1;
    if (tries === 1) throw new Error('PostgreSQL is away');
    second.tell();
  });
  await bench.paused.seen;
  bench.state.closures = [];
  await second.seen;
  expect(bench.errors.map(({ message }) => message)).toEqual(['PostgreSQL is away']);
});
