import { FileMakerError } from '@bridge/filemaker-client';
import type { Lease } from '@bridge/session-pool';
import { createFileMakerProbe } from './filemaker-probe';

type Judgement = ConstructorParameters<typeof FileMakerError>[0];
const failure = (rest: Partial<Judgement>, apiCode?: string): FileMakerError =>
  new FileMakerError(
    {
      code: 'FILEMAKER_UNAVAILABLE',
      meaning: 'm',
      stage: 'unheard',
      resend: 'yes',
      session: 'quarantine',
      circuit: true,
      ...rest,
    },
    { endpoint: 'layouts', apiCode },
  );
const closedFile = failure({ code: 'FILEMAKER_DATABASE_UNAVAILABLE', stage: 'unheard' }, '802');
const refused = failure(
  { code: 'FILEMAKER_PRIVILEGES', stage: 'refused', resend: 'no', session: 'keep', circuit: false },
  '9',
);

/** A FileMaker whose parts answer or fail, with every call noted. */
function setup() {
  const calls: string[] = [];
  const state = {
    server: undefined as Error | undefined,
    file: undefined as Error | undefined,
    now: 0,
    answered: false,
  };
  const answer = async (what: string, fault: Error | undefined): Promise<never[]> => {
    calls.push(what);
    if (fault !== undefined) throw fault;
    return [];
  };
  const probe = createFileMakerProbe({
    client: {
      productInfo: () => answer('server', state.server) as never,
      layouts: () => answer('file', state.file),
    },
    pool: {
      lease: async () => ({ leaseId: 'l', sessionId: '1', token: 't', fence: '1', epoch: '1' }) satisfies Lease,
      giveBack: async (_lease, how) => calls.push(how) > 0,
      flushEpoch: async () => {
        state.answered = probe.hasAnswer();
        calls.push('flush');
      },
    },
    leaseWaitMs: 1,
    now: () => state.now,
  });
  const look = async (): Promise<string[]> => {
    calls.length = 0;
    const back = await probe.look().then(
      () => 'back',
      () => 'away',
    );
    return [...calls, back];
  };
  return { state, probe, look };
}

test('a server that is away costs one call for each look', async () => {
  const { state, look, probe } = setup();
  state.server = failure({});
  expect([await look(), await look()]).toEqual([
    ['server', 'away'],
    ['server', 'away'],
  ]);
  expect(probe.hasAnswer()).toBe(false);
});

test('once the server answers, the sessions from before are looked at anew, and then the file is asked', async () => {
  const { state, look, probe } = setup();
  state.server = failure({});
  await look();
  state.server = undefined;
  expect(await look()).toEqual(['server', 'flush', 'file', 'idle', 'back']);
  expect([state.answered, probe.hasAnswer()]).toEqual([true, false]);
});

test('a server that is there while its file is closed is asked about the file alone, and anew for itself after some seconds', async () => {
  const { state, look } = setup();
  state.file = closedFile;
  expect(await look()).toEqual(['server', 'flush', 'file', 'quarantine', 'away']);
  expect(await look()).toEqual(['file', 'quarantine', 'away']);
  state.now += 5_000;
  expect(await look()).toEqual(['server', 'flush', 'file', 'quarantine', 'away']);
  state.file = undefined;
  expect(await look()).toEqual(['file', 'idle', 'back']);
  // The next outage is a new one.
  expect(await look()).toEqual(['server', 'flush', 'file', 'idle', 'back']);
});

test('a server that goes again between two looks is asked for itself at the next', async () => {
  const { state, look } = setup();
  state.file = failure({});
  expect(await look()).toEqual(['server', 'flush', 'file', 'quarantine', 'away']);
  expect((await look())[0]).toBe('server');
});

test('a refusal for a reason of its own shows that FileMaker is there', async () => {
  const { state, look } = setup();
  state.server = refused;
  state.file = refused;
  expect(await look()).toEqual(['server', 'flush', 'file', 'idle', 'back']);
});
