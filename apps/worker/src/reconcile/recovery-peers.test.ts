import { FileMakerError, type FindCall } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { PoolError } from '@bridge/session-pool';
import { StripeCallError } from '@bridge/stripe-client';
import { createRecoveryPeers, type RecoveryPeersOptions } from './recovery-peers';
import { countingCalls, type RunCalls } from './run-calls';

const SENTINEL = 'bridge-sentinel';
const LOG = { layout: 'bridge_log', keyField: 'key', stateField: 'state', resultField: 'result' };
const TARGET = {
  layout: 'web_invoices',
  script: 'PAID',
  contract: 'kit',
  transport: 'get',
  handoffLayout: null,
  probe: null,
  log: LOG,
};
const failure = (rest: Partial<ConstructorParameters<typeof FileMakerError>[0]>): FileMakerError =>
  new FileMakerError(
    {
      code: 'FILEMAKER_LAYOUT_MISSING',
      meaning: 'x',
      stage: 'refused',
      resend: 'no',
      session: 'keep',
      circuit: false,
      ...rest,
    },
    { endpoint: 'find' },
  );

interface Rows {
  key: string;
  state: string;
}

function setup(
  given: {
    rows?: Rows[];
    /** The log does not show the bridge's own row, whatever is planted. */
    hidden?: boolean;
    find?: (call: FindCall) => void;
    options?: Partial<RecoveryPeersOptions>;
  } = {},
) {
  const rows: Rows[] = [...(given.rows ?? [])];
  const finds: number[] = [];
  const planted: unknown[] = [];
  const told: string[] = [];
  const peers = createRecoveryPeers({
    stripe: {
      listSessions: async function* () {},
      listEvents: async function* () {},
      retrievePaidSession: async () => {
        throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'checkout.sessions.retrieve' });
      },
      findSessionOfPaymentIntent: async () => undefined,
      retrieveRefund: async () => {
        throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'refunds.retrieve' });
      },
      retrieveDispute: async () => {
        throw new StripeCallError('STRIPE_PERMISSION', 'refused', { endpoint: 'disputes.retrieve' });
      },
      walkRefunds: async function* () {},
      walkDisputes: async function* () {},
      listRefunds: async () => [],
      listDisputes: async () => [],
    },
    filemaker: {
      find: async (_token, call) => {
        finds.push(call.query.length);
        given.find?.(call);
        const wanted = new Set(call.query.map((one) => String(one.key).replace(/^==/, '').replaceAll('\\', '')));
        const shown = rows.filter(({ key }) => wanted.has(key) && !(given.hidden === true && key === SENTINEL));
        const records = shown.map((row, at) => ({ recordId: `${at}`, modId: '0', fieldData: { ...row } }));
        return { records, foundCount: records.length, returnedCount: records.length };
      },
      createRecord: async (_token, { fieldData }) => {
        planted.push(fieldData);
        rows.push({ key: String(fieldData.key), state: String(fieldData.state) });
        return { recordId: '1', modId: '0' };
      },
    },
    pool: {
      lease: async () => ({ leaseId: '1', sessionId: '1', token: 't', fence: '1', epoch: '1' }),
      giveBack: async () => true,
      flushEpoch: async () => undefined,
    },
    gates: {
      halt: async (scope: string) => void told.push(`halt ${scope}`),
      openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
    } as unknown as Gates,
    worker: 'w',
    sentinelKey: SENTINEL,
    paidLog: LOG,
    leaseWaitMs: 100,
    closedBecause: async () => undefined,
    ...given.options,
  });
  return { peers, finds, planted, told };
}
const sentinel: Rows = { key: SENTINEL, state: 'sentinel' };
const ask = (keys: readonly string[], target: unknown = TARGET) => keys.map((key) => ({ key, target }));

test('a hundred keys cost two finds, each with the bridge’s own row beside them, and they are counted for the run', async () => {
  const keys = Array.from({ length: 100 }, (_, n) => `invoice-paid:cs_${n}`);
  const { peers, finds } = setup({ rows: [sentinel, ...keys.map((key) => ({ key, state: 'done' }))] });
  const calls: RunCalls = { stripeCalls: 0, filemakerFinds: 0 };
  const told = await countingCalls(calls, () => peers.readLog(ask(keys)));
  expect(finds).toEqual([51, 51]);
  expect(calls).toEqual({ stripeCalls: 0, filemakerFinds: 2 });
  expect([...told.values()].every((one) => one.kind === 'told' && one.states.join() === 'done')).toBe(true);
  expect(told.size).toBe(100);
});

test('what is not there is told as such only beside the bridge’s own row; two rows of one key are both told', async () => {
  const rows = [sentinel, { key: 'a', state: 'done' }, { key: 'b', state: 'done' }, { key: 'b', state: 'failed' }];
  const told = await setup({ rows }).peers.readLog(ask(['a', 'b', 'c']));
  expect(Object.fromEntries(told)).toEqual({
    a: { kind: 'told', states: ['done'] },
    b: { kind: 'told', states: ['done', 'failed'] },
    c: { kind: 'told', states: [] },
  });
});

test('a log that is new gets the bridge’s own row and is asked again', async () => {
  const { peers, planted, finds } = setup({ rows: [{ key: 'a', state: 'done' }] });
  const told = await peers.readLog(ask(['a', 'b']));
  expect(planted).toEqual([{ key: SENTINEL, state: 'sentinel' }]);
  expect(finds).toEqual([3, 2]);
  expect(told.get('b')).toEqual({ kind: 'told', states: [] });
});

test('a log that hides the bridge’s own row proves nothing by absence, and is not filled with more of them', async () => {
  const { peers, planted } = setup({ rows: [{ key: 'a', state: 'done' }], hidden: true });
  for (let round = 0; round < 3; round += 1) {
    const told = await peers.readLog(ask(['a', 'b']));
    expect(told.get('a')).toEqual({ kind: 'told', states: ['done'] });
    expect(told.get('b')).toEqual({ kind: 'unasked', because: 'SENTINEL_MISSING' });
  }
  expect(planted).toHaveLength(1);
});

test('a script that keeps no log is not asked about; a payment without an effect is asked about where it would be today', async () => {
  const { peers, finds } = setup({ rows: [sentinel] });
  expect(await peers.readLog(ask(['a'], { ...TARGET, log: null }))).toEqual(
    new Map([['a', { kind: 'unasked', because: 'NO_LOG' }]]),
  );
  expect(finds).toEqual([]);
  const unplanned = [{ key: 'a', target: undefined }];
  expect((await peers.readLog(unplanned)).get('a')).toEqual({ kind: 'told', states: [] });
  const nowhere = setup({ options: { paidLog: null } });
  expect((await nowhere.peers.readLog(unplanned)).get('a')).toEqual({ kind: 'unasked', because: 'NO_LOG' });
});

test('a log that cannot be read halts no script of live work', async () => {
  const { peers, told } = setup({
    find: () => {
      throw failure({ halt: 'layout-missing' });
    },
  });
  expect((await peers.readLog(ask(['a', 'b']))).get('b')).toEqual({ kind: 'unasked', because: 'LOG_UNREADABLE' });
  expect(told).toEqual([]);
});

test('FileMaker closed, full or silent is an error that says how long to wait, and a silent one opens the circuit', async () => {
  const closed = setup({
    options: { closedBecause: async () => ({ cause: 'pause', detail: 'stock-taking', afterMs: 7_000 }) },
  });
  await expect(closed.peers.readLog(ask(['a']))).rejects.toMatchObject({ code: 'pause', afterMs: 7_000 });
  expect(closed.finds).toEqual([]);
  const full = setup({
    options: {
      pool: {
        lease: async () => {
          throw new PoolError('POOL_BUSY', 'no session is free', { retryAfterMs: 300 });
        },
        giveBack: async () => true,
        flushEpoch: async () => undefined,
      },
    },
  });
  await expect(full.peers.readLog(ask(['a']))).rejects.toMatchObject({ afterMs: 300 });
  const silent = setup({
    find: () => {
      throw failure({ code: 'FILEMAKER_UNAVAILABLE', circuit: true, stage: 'not-sent', resend: 'yes' });
    },
  });
  await expect(silent.peers.readLog(ask(['a']))).rejects.toMatchObject({ code: 'FILEMAKER_UNAVAILABLE' });
  expect(silent.told).toEqual(['circuit filemaker']);
});

test('a Session or refund that Stripe does not know is undefined and no failure; what may not be read is one', async () => {
  const { peers } = setup();
  expect(await peers.findSession('cs_gone')).toBeUndefined();
  expect(await peers.findReversal('refund', 're_gone')).toBeUndefined();
  await expect(peers.findReversal('dispute', 'dp_1')).rejects.toMatchObject({ code: 'STRIPE_PERMISSION' });
});

describe('payments that came to their end a moment ago, long after their charge was made,', () => {
  const stripeOf = (listEvents: RecoveryPeersOptions['stripe']['listEvents']): RecoveryPeersOptions['stripe'] => ({
    listSessions: async function* () {},
    listEvents,
    retrievePaidSession: async () => {
      throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'checkout.sessions.retrieve' });
    },
    findSessionOfPaymentIntent: async () => undefined,
    retrieveRefund: async () => {
      throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'refunds.retrieve' });
    },
    retrieveDispute: async () => {
      throw new StripeCallError('STRIPE_NOT_FOUND', 'refused', { endpoint: 'disputes.retrieve' });
    },
    walkRefunds: async function* () {},
    walkDisputes: async function* () {},
    listRefunds: async () => [],
    listDisputes: async () => [],
  });

  test("are read from Stripe's events, bank debits and captures each with one question for pages that follow each other", async () => {
    const queries: unknown[] = [];
    const stripe = stripeOf(async function* (query) {
      queries.push(query);
      const event = (id: string) => ({ id: `evt_${id}`, object: 'event', data: { object: { id } } });
      const isCapture = query?.types?.includes('payment_intent.succeeded') === true;
      const items = isCapture ? [event('pi_3')] : [event('cs_1'), event('cs_2')];
      yield { items, hasMore: false, cursor: 'evt_cs_2' };
    });
    const { peers } = setup({ options: { stripe } });
    const since = new Date('2026-11-22T12:00:00.900Z');
    expect([...(await peers.announcedSince(since))]).toEqual(['cs_1', 'cs_2', 'pi_3']);
    expect([...(await peers.announcedSince(since))]).toEqual(['cs_1', 'cs_2', 'pi_3']);
    const created = { gte: Date.parse('2026-11-22T12:00:00Z') / 1_000 };
    expect(queries).toMatchObject([{ created }, { created, types: ['payment_intent.succeeded'] }]);
  });

  test('are not known where the key may not read events, and any other fault is told', async () => {
    const failing = (code: 'STRIPE_PERMISSION' | 'STRIPE_UNAVAILABLE') =>
      stripeOf(async function* () {
        yield* [];
        throw new StripeCallError(code, 'refused', { endpoint: 'events.list' });
      });
    const unknown = setup({ options: { stripe: failing('STRIPE_PERMISSION') } });
    expect((await unknown.peers.announcedSince(new Date())).size).toBe(0);
    const away = setup({ options: { stripe: failing('STRIPE_UNAVAILABLE') } });
    await expect(away.peers.announcedSince(new Date())).rejects.toThrow('STRIPE_UNAVAILABLE');
  });
});
