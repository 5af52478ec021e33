import { createStripeSimulator, type StripeSimulator } from './index';

let simulator: StripeSimulator;
let call: (method: string, path: string, body?: object) => Promise<{ status: number; body: Record<string, unknown> }>;

beforeEach(async () => {
  simulator = createStripeSimulator({
    webhookUrl: 'http://127.0.0.1:9/nobody',
    delivery: { atOnce: false, retryDelaysMs: [] },
  });
  const { url } = await simulator.listen();
  call = async (method, path, body) => {
    const answer = await fetch(`${url}/_simulator${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
});
afterEach(() => simulator.close());

it('a sale, its refund and its dispute over HTTP stand in the books', async () => {
  const { body: sale } = await call('POST', '/sales', { invoiceId: '18637' });
  expect(sale).toMatchObject({ amountTotal: 15_000, eventIds: expect.any(Array) });
  const { body: refund } = await call('POST', `/sales/${String(sale.sessionId)}/refund`, {
    amount: 1_000,
    status: 'pending',
  });
  expect((await call('POST', `/refunds/${String(refund.refundId)}/update`, { status: 'succeeded' })).status).toBe(200);
  expect((await call('POST', `/sales/${String(sale.sessionId)}/dispute`)).status).toBe(200);
  expect((await call('POST', `/sales/${String(sale.sessionId)}/dispute/close`, { status: 'lost' })).status).toBe(200);
  const { body: books } = await call('GET', '/books');
  expect(books.paidSessions).toMatchObject([{ invoiceId: '18637', amountRefunded: 1_000, disputed: true }]);
});

it('wrong bodies are 400 with the fault named, unknown sales 404, impossible steps 409', async () => {
  const wrong = await call('POST', '/sales', { curency: 'usd' });
  expect(wrong).toMatchObject({ status: 400, body: { error: expect.stringContaining('curency') } });
  expect((await call('POST', '/sales/cs_test_none/refund')).status).toBe(404);
  const { body: sale } = await call('POST', '/sales');
  expect((await call('POST', `/sales/${String(sale.sessionId)}/settle`)).status).toBe(409);
  expect((await call('POST', '/deliver', { eventIds: ['evt_none'] })).status).toBe(404);
});

it('bulk, deliver, wait, deliveries, endpoints, trouble, settings, clock and reset answer', async () => {
  const bulk = await call('POST', '/sales/bulk', { count: 3 });
  expect(bulk.body.sales).toHaveLength(3);
  expect((await call('POST', '/deliver', {})).body).toMatchObject({ attempts: 12, answers: { ECONNREFUSED: 12 } });
  expect((await call('GET', '/wait?delivered=1&timeoutMs=20')).body).toMatchObject({ reached: false, delivered: 0 });
  expect((await call('GET', '/wait?idle=true&timeoutMs=20')).body).toMatchObject({ reached: true });
  expect((await call('GET', '/deliveries')).body.attempts).toHaveLength(12);
  const { body: endpoint } = await call('POST', '/endpoints', {
    url: 'http://127.0.0.1:9/other',
    apiVersion: '2022-08-01',
  });
  const { id } = endpoint.value as { id: string };
  expect((await call('POST', `/endpoints/${id}`, { disabled: true })).body).toMatchObject({
    value: { status: 'disabled' },
  });
  expect((await call('DELETE', `/endpoints/${id}`)).body).toEqual({ removed: true });
  expect((await call('POST', '/trouble', { kind: 'slow', slowMs: 1 })).body.troubles).toHaveLength(1);
  expect((await call('DELETE', '/trouble')).body).toEqual({ troubles: [] });
  expect((await call('POST', '/settings', { delivery: { lossFraction: 0.5 } })).body).toMatchObject({
    delivery: { lossFraction: 0.5 },
  });
  expect((await call('POST', '/clock', { now: '2030-01-01T00:00:00Z', frozen: true })).body).toEqual({
    now: '2030-01-01T00:00:00.000Z',
  });
  expect((await call('POST', '/reset')).status).toBe(200);
  expect((await call('GET', '/books')).body).toMatchObject({
    paidSessions: [],
    events: { total: 0 },
    deliveries: { attempts: 0 },
  });
});

it('a stopped clock dates what is made', async () => {
  await call('POST', '/clock', { now: '2026-01-02T03:04:05Z', frozen: true });
  await call('POST', '/sales');
  expect((await call('GET', '/books')).body.paidSessions).toMatchObject([{ paidAt: '2026-01-02T03:04:05.000Z' }]);
});
