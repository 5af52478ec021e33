import type { FileMakerBooks } from '@bridge/test-services';
import { type BridgeStand, startBridge } from './bridge-stand';

/**
 * What a company gets that may not touch its script: no log, no hand-off layout, the payload in the URL. Exactly once is
 * not promised here, at most once is, and a person is asked about the rest.
 */
let stand: BridgeStand;

beforeAll(async () => {
  stand = await startBridge({
    env: { FILEMAKER_LOG_LAYOUT: '', FILEMAKER_HANDOFF_LAYOUT: '', FILEMAKER_SCRIPT_MAX_SECONDS: '2' },
    filemaker: { scripts: { STRIPE_PAYMENTLINK_SUCCESS: { form: 'plain', effect: 'paid' } } },
  });
  // A plain script marks an invoice that is there; it makes none.
  await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', {
    records: ['p1', 'p2', 'p3', 'cut', 'later', 'away'].map((invoice_id) => ({ invoice_id, status: 'open' })),
  });
}, 120_000);
afterAll(() => stand?.stop(), 120_000);

const sale = (invoiceId: string) => stand.stripe.ask<{ sessionId: string }>('POST', '/sales', { invoiceId });
const runsOf = (books: FileMakerBooks, invoiceId: string) =>
  books.runs.filter((run) => run.payload.includes(`"invoice_id":"${invoiceId}"`));

test('a plain script runs once for each payment, by GET, and its payments are marked unverified', async () => {
  for (const invoice of ['p1', 'p2', 'p3']) await sale(invoice);
  await stand.applied(3, 90_000);
  const books = await stand.filemakerBooks();
  for (const invoice of ['p1', 'p2', 'p3']) expect(runsOf(books, invoice)).toHaveLength(1);
  await stand.workers[0]?.waitForLine(
    (line) => line.includes('"job.settled"') && line.includes('"verified":false'),
    90_000,
  );
}, 240_000);

test('a plain script whose answer was lost is never sent again: it is parked for a person', async () => {
  await stand.filemaker.ask('POST', '/trouble', { kind: 'cut', when: 'after', on: ['run'] });
  await sale('cut');
  await stand.workers[0]?.waitForLine(
    (line) => line.includes('"kind":"parked"') && line.includes('CANNOT_BE_ASKED'),
    90_000,
  );
  await sale('later');
  await stand.applied(5, 90_000);
  const books = await stand.filemakerBooks();
  expect(runsOf(books, 'cut')).toHaveLength(1);
  expect(runsOf(books, 'later')).toHaveLength(1);
}, 300_000);

test('a FileMaker that takes no connections is noticed, and the payment made meanwhile goes through once on its return', async () => {
  await stand.filemaker.ask('POST', '/down', { forMs: 3_000, mode: 'refuse' });
  await sale('away');
  await stand.workers[0]?.waitForLine(
    (line) => line.includes('"lane":"invoice:away"') && line.includes('"kind":"done"'),
    90_000,
  );
  expect(runsOf(await stand.filemakerBooks(), 'away')).toHaveLength(1);
}, 300_000);
