import { createStripeSimulator, type StripeSimulator } from '../index';
import type { JsonObject } from '../json';

let simulator: StripeSimulator;
let session: (version: string) => Promise<JsonObject>;

beforeAll(async () => {
  simulator = createStripeSimulator();
  const { url } = await simulator.listen();
  const { sessionId } = simulator.control.createSale({ shipping: { amount: 3_000 } });
  const expand = 'expand[]=payment_intent.latest_charge&expand[]=line_items';
  session = async (version) => {
    const answer = await fetch(`${url}/v1/checkout/sessions/${sessionId}?${expand}`, {
      headers: { Authorization: 'Bearer sk_test_simulator', 'Stripe-Version': version },
    });
    return (await answer.json()) as JsonObject;
  };
});
afterAll(() => simulator.close());

it.each([
  ['2026-10-28.endive', ['collected_information', 'shipping_cost']],
  ['2025-03-31.basil', ['collected_information', 'shipping_cost']],
  ['2025-02-24.acacia', ['collected_information', 'shipping_cost', 'shipping_details']],
  ['2022-11-15', ['shipping_cost', 'shipping_details']],
  ['2022-08-01', ['shipping_cost', 'shipping_details']],
  ['2020-08-27', ['shipping', 'shipping_rate']],
])('the buyer’s address at %s stands in %j', async (version, expected) => {
  const names = ['collected_information', 'shipping', 'shipping_cost', 'shipping_details', 'shipping_rate'];
  const body = await session(version);
  expect(names.filter((name) => body[name] !== undefined)).toEqual(expected);
  expect(JSON.stringify(body)).toContain('Rhonda Hensley');
});

it('a PaymentIntent has charges until 2022-08-01 and latest_charge from 2022-11-15 on', async () => {
  const intent = async (version: string) => (await session(version)).payment_intent;
  expect(await intent('2022-08-01')).toMatchObject({
    charges: { object: 'list', data: [{ paid: true, refunds: { data: [] } }] },
  });
  expect(await intent('2022-08-01')).not.toHaveProperty('latest_charge');
  expect(await intent('2022-11-15')).toMatchObject({ latest_charge: { paid: true } });
  expect(await intent('2022-11-15')).not.toHaveProperty('charges');
});

it('line item metadata and the names of ui_mode follow the version', async () => {
  expect(await session('2025-09-30.clover')).toMatchObject({
    ui_mode: 'hosted',
    line_items: { data: [{ object: 'item' }] },
  });
  expect(JSON.stringify((await session('2025-09-30.clover')).line_items)).not.toContain(
    '"metadata":{},"object":"item"',
  );
  expect(await session('2026-03-25.dahlia')).toMatchObject({
    ui_mode: 'hosted_page',
    line_items: { data: [{ metadata: {} }] },
  });
});

it('a version that is none is refused', async () => {
  expect(await session('yesterday')).toMatchObject({ error: { message: 'Invalid Stripe API version: yesterday' } });
});
