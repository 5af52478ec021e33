import { createStripeSimulator, type PartialSettings } from '@bridge/stripe-simulator';
import { playStripeSimulator } from '../play-simulator';
import { answersOf, type Report } from '../run-suite';

// A whole suite a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const RETRIES = { retryDelaysMs: [1_100], timeoutMs: 5_000 };

/** What is alike is played once. */
const played = new Map<string, Promise<Report>>();

function playUnder(settings: PartialSettings): Promise<Report> {
  const key = JSON.stringify(settings);
  const report = played.get(key) ?? playOnce(settings);
  played.set(key, report);
  return report;
}

async function playOnce(settings: PartialSettings): Promise<Report> {
  const simulator = createStripeSimulator({ delivery: RETRIES, seed: 7, ...settings });
  const { url } = await simulator.listen();
  try {
    return await playStripeSimulator({ url, run: 'contract-1' });
  } finally {
    await simulator.close();
  }
}

function faultsOf(report: Report): string[] {
  return report.cases.flatMap(({ id, deviations, reason }) =>
    [...deviations, ...(reason === null ? [] : [reason])].map((fault) => `${id}: ${fault}`),
  );
}

const SETTINGS: readonly { title: string; settings: PartialSettings; shows: Record<string, string> }[] = [
  { title: 'manualCapturePaymentStatus unpaid', settings: {}, shows: { manualCapturePaymentStatus: 'unpaid' } },
  {
    title: 'manualCapturePaymentStatus paid',
    settings: { manualCapturePaymentStatus: 'paid' },
    shows: { manualCapturePaymentStatus: 'paid' },
  },
  {
    title: 'rateLimits',
    settings: {},
    shows: { rateLimits: '429 rate_limit with a reason' },
  },
];

test.each(SETTINGS)('$title is what a run shows, and every case holds', async ({ settings, shows }) => {
  const report = await playUnder(settings);
  expect(faultsOf(report)).toEqual([]);
  const answers = answersOf(report);
  for (const [question, answer] of Object.entries(shows))
    expect([question, answers.get(question)]).toEqual([question, [answer]]);
});

test.each(['2022-08-01', '2025-02-24.acacia'])(
  'an account of version %s changes nothing that a case looks at',
  async (version) => {
    expect(faultsOf(await playUnder({ accountApiVersion: version }))).toEqual([]);
  },
);

test('how long a delivery waits, for its answer and for the next attempt, is measured', async () => {
  const report = await playUnder({ delivery: { retryDelaysMs: [4_100], timeoutMs: 3_900 } });
  expect(faultsOf(report)).toEqual([]);
  const seconds = (question: string): number => Number(answersOf(report).get(question)?.[0]);
  // A busy machine may only make it longer.
  expect(seconds('delivery.retryDelaysMs')).toBeGreaterThanOrEqual(4);
  expect(seconds('delivery.timeoutMs')).toBeGreaterThanOrEqual(4);
});
