import { createFileMakerSimulator } from '@bridge/filemaker-simulator';
import { playRecording } from '../play-recording';
import { playFileMakerSimulator } from '../play-simulator';
import { answersOf, type Report } from '../run-suite';

// A whole suite is played first; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

let recorded: Report;
const lines: string[] = [];

beforeAll(async () => {
  const simulator = createFileMakerSimulator({ loginMs: 0, scriptMs: 0, handledErrorInScriptError: true });
  const { url } = await simulator.listen();
  try {
    recorded = await playFileMakerSimulator({ url, run: 'contract-1', record: (line) => lines.push(line) });
  } finally {
    await simulator.close();
  }
});

const play = (changed: readonly string[] = lines): Promise<Report> => playRecording(changed.join('\n'), 'filemaker');

/** The recording with one answer changed, and how many lines that touched. */
function planted(caseId: string, step: string, change: (answer: Record<string, unknown>) => unknown): string[] {
  return lines.map((line) => {
    const entry = JSON.parse(line) as { case?: string; step?: string; answer?: Record<string, unknown> };
    if (entry.case !== caseId || entry.step !== step || entry.answer === undefined) return line;
    return JSON.stringify({ ...entry, answer: change(entry.answer) });
  });
}

const refusedWith = (code: string) => (answer: Record<string, unknown>) => ({
  ...answer,
  json: { response: {}, messages: [{ code, message: 'planted' }] },
});

test('a recording shows the same as the server that was recorded, without a server', async () => {
  const played = await play();
  expect(played.counts).toEqual(recorded.counts);
  expect(played.counts.held).toBe(recorded.cases.length);
  expect([...answersOf(played)]).toEqual([...answersOf(recorded)]);
  expect(played.statusesByCode).toEqual(recorded.statusesByCode);
});

test.each([
  ['login', 'log in', refusedWith('212')],
  ['logout', 'use the token', refusedWith('0')],
  ['unique-key', 'create it again', refusedWith('0')],
  ['find-exactly', 'find', refusedWith('401')],
  ['kit-runs-once', 'run again', refusedWith('0')],
  ['record-locked', 'edit', refusedWith('306')],
  ['script-without-result', 'run', refusedWith('104')],
  ['product-info', 'ask', (answer: Record<string, unknown>) => ({ ...answer, status: 503 })],
  ['one-request-at-a-time', 'second request', (answer: Record<string, unknown>) => ({ ...answer, endedMs: 0 })],
])('a deviation that is planted in %s, "%s", is caught there and nowhere else', async (caseId, step, change) => {
  const played = await play(planted(caseId, step, change));
  expect(played.cases.filter(({ outcome }) => outcome === 'deviates').map(({ id }) => id)).toEqual([caseId]);
});

test('an answer to an open question that nobody thought of is a deviation, not an answer', async () => {
  const played = await play(planted('find-in-other-case', 'find', refusedWith('5')));
  const deviating = played.cases.find(({ id }) => id === 'find-in-other-case');
  expect(deviating).toMatchObject({ outcome: 'deviates', answers: [{ question: 'findIgnoresCase', shows: null }] });
});

test('what is not in a recording is skipped and counted, not held', async () => {
  const played = await play(lines.filter((line) => !line.includes('"case":"find-exactly"')));
  expect(played.counts).toEqual({ held: recorded.counts.held - 1, deviates: 0, skipped: 1 });
  expect(played.cases.find(({ id }) => id === 'find-exactly')?.reason).toContain('not in the recording');
});

test('a case that asks something else since it was recorded is skipped', async () => {
  const older = lines.map((line) => line.replace('"line":"GET /productInfo"', '"line":"GET /productInformation"'));
  const played = await play(older);
  expect(played.cases.find(({ id }) => id === 'product-info')?.reason).toContain('something else');
});

test('a recording holds no token, no credentials, and no name of the file', () => {
  const text = lines.join('\n');
  const names = ['Shop', 'web_invoices', 'bridge_log', 'idempotency_key', 'STRIPE_PAYMENTLINK_SUCCESS'];
  const found = ['Basic ', 'Bearer ', ...names].filter((word) => text.includes(word));
  expect([...found, ...(text.match(/[0-9a-f]{48}/g) ?? [])]).toEqual([]);
});

test.each([
  ['nothing', ''],
  ['no JSON', 'a diary'],
  ['another format', '{"contracts":2}'],
])('%s is told to be no recording', async (_what, text) => {
  await expect(playRecording(text, 'filemaker')).rejects.toThrow('line 1');
});

test('a recording of another service is refused', async () => {
  await expect(playRecording(lines.join('\n'), 'stripe')).rejects.toThrow('recording of filemaker');
});
