import { UnreadableSessionError } from '@bridge/flows';
import { StripeCallError } from '@bridge/stripe-client';
import { createChargeRecheck, createStripeJudge, probeStripe } from './stripe-judge';

type Code = ConstructorParameters<typeof StripeCallError>[0];
type Stage = ConstructorParameters<typeof StripeCallError>[1];
const failure = (code: Code, rest: { stage?: Stage; retryAfterMs?: number } = {}): StripeCallError =>
  new StripeCallError(code, rest.stage ?? 'refused', {
    endpoint: 'checkout.sessions.retrieve',
    ...(rest.retryAfterMs === undefined ? {} : { retryAfterMs: rest.retryAfterMs }),
  });
function setup(rest: { away?: boolean } = {}) {
  const told: string[] = [];
  const state = { away: rest.away ?? true, probes: 0, now: 0 };
  const judge = createStripeJudge({
    gates: {
      halt: async (scope, cause) => void told.push(`halt ${scope} ${cause}`),
      openCircuit: async (peer) => void told.push(`circuit ${peer}`),
    },
    worker: 'worker-1',
    probe: async () => {
      state.probes += 1;
      if (state.away) throw failure('STRIPE_UNAVAILABLE', { stage: 'unheard' });
    },
    now: () => state.now,
  });
  return { told, state, judge: (error: unknown, about = 'evt_1') => judge(error, about) };
}

test.each<Code>(['STRIPE_NOT_FOUND', 'STRIPE_REQUEST_INVALID', 'STRIPE_ANSWER_UNEXPECTED'])(
  '%s is about this object: it is parked and no gate closes',
  async (code) => {
    const { judge, told } = setup();
    // A sentence first: it stands in lists that an accountant reads.
    expect(await judge(failure(code))).toMatchObject({
      kind: 'park',
      code,
      message: expect.stringMatching(/^Stripe .*: STRIPE_/),
    });
    expect(told).toEqual([]);
  },
);

test.each<Code>(['STRIPE_KEY_REFUSED', 'STRIPE_PERMISSION'])(
  '%s meets every call: it halts Stripe and the event waits without cost',
  async (code) => {
    const { judge, told } = setup();
    expect(await judge(failure(code))).toMatchObject({ kind: 'wait', code });
    expect(told).toEqual([`halt stripe ${code}`]);
  },
);

test.each<Code>(['STRIPE_UNAVAILABLE', 'STRIPE_TIMEOUT', 'STRIPE_ANSWER_UNREADABLE'])(
  '%s is Stripe in trouble: the shared circuit opens',
  async (code) => {
    const { judge, told } = setup();
    expect(await judge(failure(code, { stage: 'unheard' }))).toMatchObject({ kind: 'wait', code });
    expect(told).toEqual(['circuit stripe']);
  },
);

describe('one object that Stripe cannot serve, while it serves others', () => {
  const broken = () => failure('STRIPE_UNAVAILABLE', { stage: 'unheard' });
  const afterMs = (judged: unknown): number => (judged as { afterMs: number }).afterMs;

  test('keeps the circuit shut and waits alone, ever longer, up to a minute', async () => {
    const { judge, told, state } = setup({ away: false });
    const waits: number[] = [];
    for (let times = 0; times < 9; times += 1) {
      state.now += 1_000_000 * Number(times === 0);
      waits.push(afterMs(await judge(broken())));
      state.now += waits.at(-1) ?? 0;
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
    expect(afterMs(await judge(broken(), 'evt_2'))).toBe(2_000);
    expect(told).toEqual([]);
  });

  test('begins anew when it has not failed for long', async () => {
    const { judge, state } = setup({ away: false });
    await judge(broken());
    await judge(broken());
    state.now += 600_001;
    expect(afterMs(await judge(broken()))).toBe(2_000);
  });

  test('is waited for as long as Stripe asks', async () => {
    const { judge } = setup({ away: false });
    const asking = failure('STRIPE_UNAVAILABLE', { stage: 'unheard', retryAfterMs: 30_000 });
    expect(afterMs(await judge(asking))).toBe(30_000);
  });

  test('a thousand others do not make the memory grow without end', async () => {
    const { judge } = setup({ away: false });
    await judge(broken(), 'first');
    for (let at = 0; at < 1_000; at += 1) await judge(broken(), `evt_${at}`);
    expect(afterMs(await judge(broken(), 'evt_999'))).toBe(4_000);
    expect(afterMs(await judge(broken(), 'first'))).toBe(2_000);
  });

  test('fifty that fail at once are told apart from an outage by one question', async () => {
    const served = setup({ away: false });
    await Promise.all(Array.from({ length: 50 }, (_, at) => served.judge(broken(), `evt_${at}`)));
    expect([served.state.probes, served.told]).toEqual([1, []]);
    const away = setup();
    await Promise.all(Array.from({ length: 50 }, (_, at) => away.judge(broken(), `evt_${at}`)));
    expect([away.state.probes, new Set(away.told)]).toEqual([1, new Set(['circuit stripe'])]);
  });

  test('that Stripe was away a moment ago is not believed of a later failure', async () => {
    const { judge, state, told } = setup();
    await judge(broken());
    state.away = false;
    await judge(broken());
    expect([state.probes, told]).toEqual([2, ['circuit stripe']]);
  });

  test('without a connection nothing else is asked: the circuit opens', async () => {
    const { judge, state, told } = setup({ away: false });
    expect(await judge(failure('STRIPE_UNAVAILABLE', { stage: 'not-sent' }))).toMatchObject({ afterMs: 1_000 });
    expect([state.probes, told]).toEqual([0, ['circuit stripe']]);
  });
});

test.each<Code>(['STRIPE_RATE_LIMITED', 'STRIPE_CONFLICT', 'STRIPE_CLIENT_CLOSED'])(
  '%s says nothing about Stripe as a whole: wait, and keep the circuit shut',
  async (code) => {
    const { judge, told } = setup();
    expect(await judge(failure(code))).toMatchObject({ kind: 'wait', code, afterMs: 2_000 });
    expect(told).toEqual([]);
  },
);

test('a 429 is waited out as long as Stripe asks, within reason', async () => {
  const { judge } = setup();
  expect(await judge(failure('STRIPE_RATE_LIMITED', { retryAfterMs: 7_000 }))).toMatchObject({ afterMs: 7_000 });
  expect(await judge(failure('STRIPE_RATE_LIMITED', { retryAfterMs: 86_400_000 }))).toMatchObject({ afterMs: 60_000 });
});

test('a Session that cannot be read is parked, and an error of ours is left to cost a start', async () => {
  const { judge } = setup();
  const unreadable = new UnreadableSessionError('the Session has no currency');
  expect(await judge(unreadable)).toMatchObject({ kind: 'park', code: unreadable.code });
  expect(await judge(new TypeError('ours'))).toBeUndefined();
});

test('Stripe is back once it answers, even if it refuses a restricted key that question', async () => {
  await probeStripe(async () => ({}));
  await probeStripe(() => Promise.reject(failure('STRIPE_PERMISSION')));
  await expect(probeStripe(() => Promise.reject(failure('STRIPE_TIMEOUT', { stage: 'unheard' })))).rejects.toThrow();
  await expect(
    probeStripe(() => Promise.reject(failure('STRIPE_UNAVAILABLE', { stage: 'unheard' }))),
  ).rejects.toThrow();
});

describe('the look at the money before a late first sending', () => {
  const recheck = (charge: () => Promise<unknown>) =>
    createChargeRecheck(charge, setup().judge, async () => undefined)('ch_1');

  test('while Stripe is closed nobody asks about the money', async () => {
    const charge = jest.fn();
    const closed = async () => ({ cause: 'STRIPE_KEY_REFUSED', detail: 'refused', afterMs: 1_000 });
    const told = await createChargeRecheck(charge, setup().judge, closed)('ch_1');
    expect(told).toEqual({ kind: 'wait', afterMs: 1_000, code: 'STRIPE_KEY_REFUSED', message: 'refused' });
    expect(charge).not.toHaveBeenCalled();
  });

  test('money that is still there lets it go on', async () => {
    expect(await recheck(async () => ({ amount_refunded: 0, disputed: false }))).toEqual({ kind: 'fine' });
  });

  test.each([
    ['disputed', { amount_refunded: 0, disputed: true }, 'payment-disputed'],
    ['refunded, if only in part', { amount_refunded: 1, disputed: false }, 'payment-refunded'],
  ])('%s money parks it', async (_what, charge, code) => {
    expect(await recheck(async () => charge)).toMatchObject({ kind: 'park', code });
  });

  test('a Stripe that is away makes it wait; an error of ours is thrown', async () => {
    expect(await recheck(() => Promise.reject(failure('STRIPE_TIMEOUT')))).toMatchObject({ kind: 'wait' });
    await expect(recheck(() => Promise.reject(new TypeError('ours')))).rejects.toThrow(TypeError);
  });
});
