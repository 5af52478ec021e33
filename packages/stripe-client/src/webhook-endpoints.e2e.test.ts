// Against a simulated Stripe with books of its own.
import { createStripeSimulator, type StripeSimulator } from '@bridge/stripe-simulator';
import { createStripeClient, type StripeClient } from './stripe-client';
import { createWebhookEndpointEditor, type WebhookEndpointEditor } from './webhook-endpoints';

const READER = 'rk_test_reader';
const WRITER = 'rk_test_writer';
let simulator: StripeSimulator;
let apiBase: string;
const clients: { close(): unknown }[] = [];

beforeEach(async () => {
  simulator = createStripeSimulator({
    restrictedKeys: { [READER]: ['webhook_endpoints:read', 'refunds:read'], [WRITER]: ['webhook_endpoints:write'] },
  });
  ({ url: apiBase } = await simulator.listen());
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await simulator.close();
});

function reader(apiKey = READER): StripeClient {
  const client = createStripeClient({ apiKey, apiBase, timeoutMs: 20_000 });
  clients.push(client);
  return client;
}
function editor(apiKey = WRITER): WebhookEndpointEditor {
  const client = createWebhookEndpointEditor({ apiKey, apiBase, timeoutMs: 20_000 });
  clients.push(client);
  return client;
}
const add = (more: object = {}) =>
  simulator.control.addEndpoint({ url: 'https://a.example/hook', enabledEvents: ['refund.created'], ...more }).value;

test('all endpoints are listed, on or off, over as many pages as it takes', async () => {
  const added = Array.from({ length: 130 }, (_, index) => add({ url: `https://a.example/${index}` }).id);
  simulator.control.changeEndpoint(added[3] ?? '', { disabled: true });
  const listed = await reader().listWebhookEndpoints();
  expect(listed.map(({ id }) => id).sort()).toEqual([...added].sort());
  expect(listed.filter(({ status }) => status === 'disabled').map(({ id }) => id)).toEqual([added[3]]);
  expect(await reader().listWebhookEndpoints()).toHaveLength(130);
});

test('an endpoint is told with what the bridge cares about, and never its secret', async () => {
  const { id } = add({ apiVersion: '2025-02-24.acacia', metadata: { mine: 'yes' } });
  const [listed] = await reader().listWebhookEndpoints();
  expect(listed).toEqual({
    id,
    url: 'https://a.example/hook',
    status: 'enabled',
    enabledEvents: ['refund.created'],
    apiVersion: '2025-02-24.acacia',
    metadata: { mine: 'yes' },
  });
});

test('a change does what it says and leaves the rest', async () => {
  const { id } = add({ metadata: { theirs: 'stays' } });
  simulator.control.changeEndpoint(id, { disabled: true });
  const types = ['refund.created', 'refund.updated'];
  expect(await editor().update(id, { enabledEvents: types })).toMatchObject({
    status: 'disabled',
    enabledEvents: types,
  });
  expect(await editor().update(id, { enable: true, metadata: { mine: 'yes' } })).toMatchObject({
    status: 'enabled',
    enabledEvents: types,
    metadata: { theirs: 'stays', mine: 'yes' },
    url: 'https://a.example/hook',
  });
});

test('the same change once more is harmless', async () => {
  const { id } = add();
  const change = { enable: true, enabledEvents: ['refund.failed'] } as const;
  const first = await editor().update(id, change);
  expect(await editor().update(id, change)).toEqual(first);
});

test('a key that may only read names the permission that it lacks, and nothing has changed', async () => {
  const { id } = add();
  await expect(editor(READER).update(id, { enabledEvents: ['refund.failed'] })).rejects.toMatchObject({
    code: 'STRIPE_PERMISSION',
    stage: 'refused',
    permission: 'rak_webhook_endpoints_write',
  });
  expect(simulator.control.endpoints()[0]?.value.enabled_events).toEqual(['refund.created']);
});

test('what is gone is told, and an id that cannot be one is never sent', async () => {
  await expect(editor().update('we_none', { enable: true })).rejects.toMatchObject({ code: 'STRIPE_NOT_FOUND' });
  for (const id of ['', '../refunds', 'cus_1', 'we_1/secret']) {
    await expect(editor().update(id, { enable: true })).rejects.toMatchObject({ stage: 'not-sent' });
  }
});

test('a change whose answer is lost says so', async () => {
  const { id } = add();
  simulator.control.addTrouble({ kind: 'truncated', when: 'after', method: 'POST' });
  await expect(editor().update(id, { enabledEvents: ['refund.failed'] })).rejects.toMatchObject({ stage: 'unheard' });
});

describe('tryRead', () => {
  test('resolves for what the key may read, and names what it may not', async () => {
    await expect(reader().tryRead('refunds')).resolves.toBeUndefined();
    await expect(reader().tryRead('webhook_endpoints')).resolves.toBeUndefined();
    await expect(reader().tryRead('disputes')).rejects.toMatchObject({
      code: 'STRIPE_PERMISSION',
      permission: 'rak_disputes_read',
    });
  });

  test('a full key may read every kind, and no object of a customer is asked for', async () => {
    const kinds = [
      'checkout_sessions',
      'payment_intents',
      'charges',
      'refunds',
      'disputes',
      'events',
      'products',
      'shipping_rates',
      'webhook_endpoints',
    ] as const;
    for (const kind of kinds) await expect(reader('sk_test_simulator').tryRead(kind)).resolves.toBeUndefined();
  });

  test('a key that is refused, and a Stripe that is away, are no permission', async () => {
    await expect(reader('rk_test_nobody').tryRead('refunds')).rejects.toMatchObject({ code: 'STRIPE_KEY_REFUSED' });
    simulator.control.addTrouble({ kind: 'server-error' });
    await expect(reader().tryRead('refunds')).rejects.toMatchObject({ code: 'STRIPE_UNAVAILABLE' });
  });
});
