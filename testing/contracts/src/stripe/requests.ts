import type { CallStep, Exchange, Expectation, ReceiveStep } from '../contract-case';

type Options = Omit<Exchange, 'name' | 'line'> & Pick<CallStep, 'repeat'>;

/** The version of the API that the cases are about, where they name no other. */
export const API_VERSION = '2026-10-28.endive';

export const ok: Expectation = { status: 200 };

/** One call with the key. */
export function call(name: string, line: string, options: Options = {}): CallStep {
  return keyed('Bearer {apiKey}', name, line, options);
}

/** With that Authorization header instead; an empty one leaves it out. */
export function keyed(authorization: string, name: string, line: string, options: Options = {}): CallStep {
  const credentials = authorization === '' ? {} : { Authorization: authorization };
  const form = line.startsWith('POST ') ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {};
  return {
    do: 'call',
    name,
    line,
    ...options,
    headers: { 'Stripe-Version': API_VERSION, ...credentials, ...form, ...options.headers },
  };
}

const SESSIONS = 'GET /checkout/sessions';
const PAY_ONE =
  'the account has no such Checkout Session: pay one in test mode (card 4242 4242 4242 4242) and run again';

/** Picks the newest Checkout Session that was paid with a PaymentIntent. */
export const findPaidSession = call('find a paid Session', SESSIONS, {
  query: { status: 'complete', limit: '100', 'expand[]': ['data.payment_intent'] },
  expect: ok,
  keep: {
    session: 'data[payment_intent.status=succeeded].id',
    paymentIntent: 'data[payment_intent.status=succeeded].payment_intent.id',
  },
  orSkip: PAY_ONE,
});

/** Picks a Checkout Session by a value in it. */
export function findSession(name: string, condition: string, query: Exchange['query'], orSkip: string): CallStep {
  return call(name, SESSIONS, {
    query: { limit: '100', ...query },
    expect: ok,
    keep: { session: `data[${condition}].id` },
    orSkip,
  });
}

export function receive(
  name: string,
  about: string,
  {
    expect,
    reply = 200,
    withinMinutes = 2,
  }: Pick<ReceiveStep, 'expect'> & Partial<Pick<ReceiveStep, 'reply' | 'withinMinutes'>>,
): ReceiveStep {
  return {
    do: 'receive',
    name,
    about,
    secrets: ['{webhookSecret}'],
    reply,
    withinMinutes,
    ...(expect === undefined ? {} : { expect }),
  };
}

/** Parameters as Stripe reads them; a list becomes a repeated name. */
export function asForm(body: unknown): string {
  return Object.entries(body as Record<string, string | string[]>)
    .flatMap(([name, value]) => [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`))
    .join('&');
}
