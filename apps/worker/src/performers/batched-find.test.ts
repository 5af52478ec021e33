import { FileMakerError, type FindCall, type FoundRecord } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { type Lease, type LeaseRequest, PoolError } from '@bridge/session-pool';
import { createBatchedFind, type FindQuestion } from './batched-find';

const SENTINEL = 'sentinel';
type Judgement = ConstructorParameters<typeof FileMakerError>[0];
const failure = (rest: Partial<Judgement>): FileMakerError =>
  new FileMakerError(
    {
      code: 'FILEMAKER_CRITERIA_EMPTY',
      meaning: 'x',
      stage: 'refused',
      resend: 'no',
      session: 'keep',
      circuit: false,
      ...rest,
    },
    { endpoint: 'find' },
  );

/** A FileMaker that holds these keys; `answer` may do something else for a call. */
function setup(
  rest: {
    keys?: string[];
    valuesMax?: number;
    answer?: (call: FindCall, number: number) => FoundRecord[] | undefined;
  } = {},
) {
  const keys = [SENTINEL, ...(rest.keys ?? [])];
  const finds: { layout: string; values: string[]; limit: number }[] = [];
  const leases: LeaseRequest[] = [];
  const givenBack: string[] = [];
  const told: string[] = [];
  /** Replaced by tests in which a session is not there at once. */
  const bench = { lend: async (_request: LeaseRequest): Promise<void> => undefined };
  const find = createBatchedFind({
    client: {
      find: async (_token, call) => {
        const values = call.query.map((one) => String(Object.values(one)[0]).replace(/^==/, '').replaceAll('\\', ''));
        finds.push({ layout: call.layout, values, limit: call.limit });
        const special = rest.answer?.(call, finds.length);
        const field = Object.keys(call.query[0] ?? {})[0] ?? '';
        // As FileMaker does, without regard for case.
        const matching = keys.filter((key) => values.some((value) => value.toLowerCase() === key.toLowerCase()));
        const records =
          special ?? matching.map((key, at) => ({ recordId: `${at}`, modId: '0', fieldData: { [field]: key } }));
        return {
          records: records.slice(0, call.limit),
          foundCount: records.length,
          returnedCount: Math.min(records.length, call.limit),
        };
      },
    },
    pool: {
      lease: async (request) => {
        leases.push(request);
        await bench.lend(request);
        return { leaseId: `${leases.length}`, sessionId: '1', token: 't', fence: '1', epoch: '1' } satisfies Lease;
      },
      giveBack: async (_lease, how) => givenBack.push(how) > 0,
      flushEpoch: async () => undefined,
    },
    gates: {
      halt: async (scope: string) => void told.push(`halt ${scope}`),
      openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
    } as unknown as Gates,
    worker: 'w',
    leaseWaitMs: 1_000,
    ...(rest.valuesMax === undefined ? {} : { valuesMax: rest.valuesMax }),
  });
  const about = (value: string, more: Partial<FindQuestion> = {}): FindQuestion => ({
    layout: 'log',
    field: 'key',
    value,
    sentinel: SENTINEL,
    script: 'S',
    waitedMs: 0,
    ...more,
  });
  return { bench, find, about, finds, leases, givenBack, told };
}
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `cs_${at}`);
function signal() {
  let tell: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { seen, tell };
}

test('120 questions are three finds of at most 50 values and the sentinel, on one session each, and each gets its own rows', async () => {
  const there = names(120).filter((_, at) => at % 3 === 0);
  const { find, about, finds, leases, givenBack } = setup({ keys: there });
  const answers = await Promise.all(names(120).map((name) => find(about(name))));
  expect(finds.map(({ values }) => values.length)).toEqual([51, 51, 21]);
  expect(finds.every(({ values, limit }) => values.at(-1) === SENTINEL && limit >= 2 * 21)).toBe(true);
  expect([leases.length, givenBack]).toEqual([3, ['idle', 'idle', 'idle']]);
  for (const [at, answer] of answers.entries()) {
    if (answer.kind !== 'asked') throw new Error(answer.held.code);
    const own = answer.value.rows.map(({ fieldData }) => fieldData.key);
    expect([own, answer.value.sentinelFound]).toEqual([at % 3 === 0 ? [`cs_${at}`] : [], true]);
  }
});

test('who comes while a session is waited for joins; who comes once the find is sent gets a younger answer', async () => {
  const lending = signal();
  const sending = signal();
  const { bench, find, about, finds } = setup({
    answer: () => {
      sending.tell();
      return undefined;
    },
  });
  const asked = signal();
  bench.lend = async () => {
    asked.tell();
    await lending.seen;
  };
  const first = find(about('a'));
  await asked.seen;
  const second = find(about('b'));
  lending.tell();
  await sending.seen;
  const third = find(about('c'));
  await Promise.all([first, second, third]);
  expect(finds.map(({ values }) => values)).toEqual([
    ['a', 'b', SENTINEL],
    ['c', SENTINEL],
  ]);
});

test('questions about another layout, another field or without a sentinel are never mixed', async () => {
  const { find, about, finds } = setup();
  await Promise.all([
    find(about('a')),
    find(about('b', { layout: 'invoices' })),
    find(about('c', { field: 'session' })),
    find(about('d', { sentinel: null })),
    find(about('e', { sentinel: null })),
  ]);
  expect(finds.map(({ values }) => values.join(' ')).sort()).toEqual(['a sentinel', 'b sentinel', 'c sentinel', 'd e']);
});

test('a value that FileMaker takes for another in capitals is not found', async () => {
  const { find, about } = setup({ keys: ['CS_A'] });
  expect(await find(about('cs_a'))).toMatchObject({ kind: 'asked', value: { rows: [], sentinelFound: true } });
});

test('two that ask for the same value share one criterion and both are told', async () => {
  const { find, about, finds } = setup({ keys: ['18637'] });
  const both = await Promise.all([find(about('18637')), find(about('18637'))]);
  expect(finds.map(({ values }) => values)).toEqual([['18637', SENTINEL]]);
  expect(both.map((one) => one.kind === 'asked' && one.value.rows.length)).toEqual([1, 1]);
});

test('a find that is refused because of one value is made for each alone: only that one stays without an answer', async () => {
  const { find, about, finds, told } = setup({
    keys: ['good'],
    answer: (call) => {
      if (call.query.some((one) => one.key === '==bad')) throw failure({});
      return undefined;
    },
  });
  const [good, bad, other] = await Promise.all([find(about('good')), find(about('bad')), find(about('other'))]);
  expect(good).toMatchObject({ kind: 'asked', value: { rows: [{ fieldData: { key: 'good' } }] } });
  expect(bad).toMatchObject({ kind: 'held-back', held: { kind: 'wait', code: 'FILEMAKER_CRITERIA_EMPTY' } });
  expect(other).toMatchObject({ kind: 'asked', value: { rows: [] } });
  expect([finds.length, told]).toEqual([4, []]);
});

test('an answer that is cut short proves nothing about the others: each is asked alone, and only the culprit is told', async () => {
  const many = Array.from({ length: 200 }, (_, at) => ({ recordId: `${at}`, modId: '0', fieldData: { key: 'twins' } }));
  const { find, about, finds } = setup({
    keys: ['good'],
    answer: (call) => (call.query.some((one) => one.key === '==twins') ? many : undefined),
  });
  const [good, twins] = await Promise.all([find(about('good')), find(about('twins'))]);
  expect(good).toMatchObject({ kind: 'asked', value: { rows: [{}], cutShort: false, sentinelFound: true } });
  expect(twins).toMatchObject({ kind: 'asked', value: { cutShort: true } });
  expect(finds).toHaveLength(3);
});

test('a session that FileMaker forgot (952) is replaced once, for all of them together', async () => {
  const forgotten = failure({ code: 'FILEMAKER_INVALID_TOKEN', resend: 'yes', session: 'drop' });
  const once = setup({
    answer: (_call, number) => {
      if (number === 1) throw forgotten;
      return undefined;
    },
  });
  const asked = await Promise.all(['a', 'b'].map((value) => once.find(once.about(value))));
  expect(asked.map(({ kind }) => kind)).toEqual(['asked', 'asked']);
  expect([once.givenBack, once.finds.length]).toEqual([['gone', 'idle'], 2]);
  const always = setup({
    answer: () => {
      throw forgotten;
    },
  });
  expect(await always.find(always.about('a'))).toMatchObject({ held: { code: 'FILEMAKER_INVALID_TOKEN' } });
  expect(always.finds).toHaveLength(2);
});

test('a missing layout halts every script that asked, once each, and a server that breaks off opens the circuit', async () => {
  const missing = setup({
    answer: () => {
      throw failure({ code: 'FILEMAKER_LAYOUT_MISSING', halt: 'layout-missing' });
    },
  });
  await Promise.all(['S', 'S', 'T'].map((script, at) => missing.find(missing.about(`${at}`, { script }))));
  expect([missing.told, missing.finds.length]).toEqual([['halt script:S', 'halt script:T'], 1]);
  const away = setup({
    answer: () => {
      throw failure({
        code: 'FILEMAKER_UNAVAILABLE',
        stage: 'unheard',
        resend: 'yes',
        session: 'quarantine',
        circuit: true,
      });
    },
  });
  const told = await Promise.all(['a', 'b'].map((value) => away.find(away.about(value))));
  expect(told.map(({ kind }) => kind)).toEqual(['held-back', 'held-back']);
  expect([away.told, away.givenBack]).toEqual([['circuit filemaker'], ['quarantine']]);
});

test('without a session all of them wait, and FileMaker is not asked', async () => {
  const { bench, find, about, finds, leases } = setup();
  bench.lend = () => Promise.reject(new PoolError('POOL_BUSY', 'busy', { retryAfterMs: 300 }));
  const told = await Promise.all(names(10).map((value) => find(about(value))));
  expect(told.every((one) => one.kind === 'held-back' && one.held.code === 'POOL_BUSY')).toBe(true);
  expect([finds.length, leases.length]).toEqual([0, 1]);
});

test('no session any more in the middle of asking one by one: the rest is told at once', async () => {
  const { bench, find, about, leases } = setup({
    answer: (call) => {
      if (call.query.length > 2) throw failure({});
      return undefined;
    },
  });
  bench.lend = async () => {
    if (leases.length > 2) throw new PoolError('POOL_BUSY', 'busy');
  };
  const told = await Promise.all(names(30).map((value) => find(about(value))));
  expect(told.filter(({ kind }) => kind === 'asked')).toHaveLength(1);
  expect(leases).toHaveLength(3);
});

test('an error of ours reaches everybody who asked, and does not stay with the next', async () => {
  const { find, about } = setup({
    answer: (_call, number) => {
      if (number === 1) throw new TypeError('ours');
      return undefined;
    },
  });
  const told = await Promise.allSettled([find(about('a')), find(about('b'))]);
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await find(about('c'))).toMatchObject({ kind: 'asked' });
});

test('one that has waited long in earlier turns brings the waiting find forward to its own place in the line', async () => {
  const { bench, find, about, finds, leases } = setup();
  const waiting = signal();
  bench.lend = ({ signal: given, waitedMs = 0 }) => {
    waiting.tell();
    // The pool lends to seniors only.
    if (waitedMs >= 40_000) return Promise.resolve();
    return new Promise((_resolve, reject) => {
      given?.addEventListener('abort', () => reject(new PoolError('POOL_ABORTED', 'aborted')));
    });
  };
  const junior = find(about('junior', { waitedMs: 10 }));
  await waiting.seen;
  const peer = find(about('peer', { waitedMs: 15 }));
  const senior = find(about('senior', { waitedMs: 40_000 }));
  await Promise.all([junior, peer, senior]);
  expect(finds.map(({ values }) => values)).toEqual([['junior', 'peer', 'senior', SENTINEL]]);
  expect(leases.map(({ waitedMs = 0, priority }) => [priority, waitedMs >= 40_000])).toEqual([
    ['cross-check', false],
    ['cross-check', true],
  ]);
});
