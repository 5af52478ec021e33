import { UnreadableSessionError } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import { StripeCallError } from '@bridge/stripe-client';
import { createChargeRecheck, judgeStripeFailure, probeStripe } from './stripe-failure';

type Code = ConstructorParameters<typeof StripeCallError>[0];
type Stage = ConstructorParameters<typeof StripeCallError>[1];
const failure = (code: Code, rest: { stage?: Stage; retryAfterMs?: number } = {}): StripeCallError =>
  new StripeCallError(code, rest.stage ?? 'refused', {
    endpoint: 'checkout.sessions.retrieve',
    ...(rest.retryAfterMs === undefined ? {} : { retryAfterMs: rest.retryAfterMs }),
  });
function setup() {
  const told: string[] = [];
  const gates = {
    halt: async (scope: string, cause: string) => void told.push(`halt ${scope} ${cause}`),
    openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
  } as unknown as Gates;
  return { told, gates, judge: (error: unknown) => judgeStripeFailure(gates, 'worker-1', error) };
}

test.each<Code>(['STRIPE_NOT_FOUND', 'STRIPE_REQUEST_INVALID', 'STRIPE_ANSWER_UNEXPECTED'])(
  '%s is about this object: it is parked and no gate closes',
  async (code) => {
    const { judge, told } = setup();
    expect(await judge(failure(code))).toMatchObject({ kind: 'park', code });
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
  const recheck = (charge: () => Promise<unknown>) => createChargeRecheck(charge, setup().gates, 'worker-1')('ch_1');

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
