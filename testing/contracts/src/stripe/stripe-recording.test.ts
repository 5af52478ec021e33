import { createStripeSimulator } from '@bridge/stripe-simulator';
import { playRecording } from '../play-recording';
import { playStripeSimulator } from '../play-simulator';
import { answersOf, type Report } from '../run-suite';

// A whole suite is played first; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

let recorded: Report;
const lines: string[] = [];

beforeAll(async () => {
  const simulator = createStripeSimulator({ seed: 7, delivery: { retryDelaysMs: [1_100], timeoutMs: 5_000 } });
  const { url } = await simulator.listen();
  try {
    recorded = await playStripeSimulator({ url, run: 'contract-1', record: (line) => lines.push(line) });
  } finally {
    await simulator.close();
  }
});

const play = (changed: readonly string[] = lines): Promise<Report> => playRecording(changed.join('\n'), 'stripe');

type Body = Record<string, unknown>;

function planted(
  caseId: string,
  step: string,
  change: (json: Body, status: number) => { json?: Body; status?: number },
) {
  return lines.map((line) => {
    const entry = JSON.parse(line) as { case?: string; step?: string; answer?: { json: Body; status: number } };
    if (entry.case !== caseId || entry.step !== step || entry.answer === undefined) return line;
    return JSON.stringify({ ...entry, answer: { ...entry.answer, ...change(entry.answer.json, entry.answer.status) } });
  });
}

test('a recording shows the same as the account that was recorded', async () => {
  const played = await play();
  expect(played.counts).toEqual(recorded.counts);
  expect(played.counts.held).toBe(recorded.cases.length);
  expect([...answersOf(played)]).toEqual([...answersOf(recorded)]);
});

test.each([
  ['not-there', 'a Session', () => ({ status: 400 })],
  ['restricted-key', 'what it may not', () => ({ status: 401 })],
  ['list', 'list', (json: Body) => ({ json: { ...json, object: 'array' } })],
  ['line-items', 'read', (json: Body) => ({ json: { ...json, amount_total: 1 } })],
  ['session-of-a-payment-intent', 'look it up', (json: Body) => ({ json: { ...json, data: [] } })],
  ['idempotency-key', 'the same again', (json: Body) => ({ json: { ...json, id: 'cus_another' } })],
  ['idempotency-key', 'with another name', () => ({ status: 200 })],
  ['paid-session', 'read', (json: Body) => ({ json: { ...json, shipping_details: null } })],
  ['payment-intent', 'read', (json: Body) => ({ json: { ...json, charges: {} } })],
  [
    'delivery-is-signed',
    'delivery',
    (json: Body) => ({ json: { ...json, signature: { timestamp: 1, ageSeconds: 1, v1: 1, matching: 0 } } }),
  ],
])('a deviation that is planted in %s, "%s", is caught there and nowhere else', async (caseId, step, change) => {
  const played = await play(planted(caseId, step, change));
  expect(played.cases.filter(({ outcome }) => outcome === 'deviates').map(({ id }) => id)).toEqual([caseId]);
});

test('a recording holds no key, no secret, and nothing of a customer', () => {
  const text = lines.join('\n');
  const customer = ['customer@email.com', 'Rhonda', 'Georgetown', 'TripleFlex', '127.0.0.1', 'acct_1Simulated'];
  const found = ['sk_test_simulator', 'rk_test_contracts', 'Bearer ', ...customer].filter((word) =>
    text.includes(word),
  );
  expect([...found, ...(text.match(/whsec_(?!redacted)\w+/g) ?? [])]).toEqual([]);
});
