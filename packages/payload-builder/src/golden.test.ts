import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildInvoicePayload, type InvoiceContext } from './invoice-payload';
import type { PaidSession } from './paid-session';
import { defaultProfile, type PayloadProfile } from './payload-profile';

interface Golden {
  guarantee: string;
  paid: PaidSession;
  context: InvoiceContext;
  profile: Partial<PayloadProfile>;
  payload: unknown;
  notices: string[];
}

const folder = join(__dirname, 'golden');
const goldens = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file): [string, Golden] => [file, JSON.parse(readFileSync(join(folder, file), 'utf8'))]);

function buildGolden(golden: Golden) {
  const built = buildInvoicePayload(golden.paid, golden.context, { ...defaultProfile, ...golden.profile });
  if (built.kind === 'refused') throw new Error(`refused: ${built.code} ${built.message}`);
  return built;
}

describe('golden payloads', () => {
  test('the folder is read', () => {
    expect(goldens.length).toBeGreaterThanOrEqual(14);
  });

  for (const [file, golden] of goldens) {
    test(`${file}: ${golden.guarantee}`, () => {
      const built = buildGolden(golden);
      expect(built.payload).toEqual(golden.payload);
      // The order of the fields is part of the promise: the bytes are compared, hashed and logged.
      expect(built.bytes).toBe(JSON.stringify(golden.payload));
      expect(built.notices).toEqual(golden.notices);
    });
  }

  test('the published example matches field by field, once our additions are taken away', () => {
    const golden = goldens.find(([file]) => file === 'article-example.json')?.[1];
    if (golden === undefined) throw new Error('article-example.json is gone');
    const { idempotency_key, ...payload } = buildGolden(golden).payload;
    expect(idempotency_key).toBe('invoice-paid:cs_test_a1');
    const published = {
      ...payload,
      items: payload.items.map(({ price_id, description, ...item }) => item),
    };
    expect(JSON.stringify(published)).toBe(
      '{"invoice_id":"18637","email":"customer@email.com","invoicetotal_cents":18000,"items":[{"code":"L2999","quantity":"1","catalog_number":"200-27","name":"Adult TripleFlex Kit","unit_price_cents":"15000"},{"code":"E1399","quantity":"1","catalog_number":"200S-1C","name":"Overnight Shipping","unit_price_cents":"3000"}],"receipt_url":"https://pay.stripe.com/receipts/payment/...","shipping":{"name":"Rhonda Hensley","address":{"city":"Georgetown","country":"US","line1":"1330 West University Ave","postal_code":"78628","state":"TX"}}}',
    );
  });
});
