import { createDatabase, type Database, rows } from '@bridge/database';
import { eventually, type RunningProcess, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { disagreements } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

/** Live payments that are made before the worker is killed in the middle of a replay. */
const KILLED_AFTER = 2;
/** Payments of a replay that take several seconds to send. */
const MUCH = 100;

interface Replayed {
  plan: { id: string; state: string };
  progress: { items: number; acting: number; byVerdict: Record<string, number>; byOutcome: Record<string, number> };
  items: {
    objectId: string;
    verdict: string;
    reasonCode: string | null;
    invoiceId: string | null;
    amount: number | null;
    difference: string[];
    outcome: string | null;
  }[];
}

let stand: BridgeStand;
let database: Database;

beforeAll(async () => {
  stand = await startBridge({
    workers: 1,
    filemaker: { scriptMs: 5 },
    env: { FILEMAKER_MAX_SESSIONS: '5', FILEMAKER_SCRIPT_MAX_SECONDS: '5' },
  });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 2, applicationName: 'replay-e2e' });
}, 120_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
}, 120_000);

const bridge = (args: readonly string[], timeoutMs = 180_000) =>
  runBridge(args, { DATABASE_URL: stand.databaseUrl }, { timeoutMs });
async function replay(...args: string[]): Promise<Replayed & { code: number | null }> {
  const { code, out, err } = await bridge(['replay', ...args, '--json'], 300_000);
  if (!out.startsWith('{')) throw new Error(`replay ${args.join(' ')} said: ${out}${err}\n${stand.tail()}`);
  const answer = JSON.parse(out) as Replayed & { error?: unknown };
  if (answer.error !== undefined) throw new Error(`replay ${args.join(' ')}: ${out}`);
  return { ...answer, code };
}
interface Sale {
  sessionId: string;
  paymentIntentId: string;
  chargeId: string;
  eventIds: string[];
}
/** Paid at Stripe, and no webhook ever comes. */
const dropped = (sale: object): Promise<Sale> => stand.stripe.ask('POST', '/sales', { deliver: false, ...sale });
const timesApplied = async (sessionId: string): Promise<number> =>
  (await stand.filemakerBooks()).applied[`invoice-paid:${sessionId}`] ?? 0;
const payloadOf = async (sessionId: string): Promise<Record<string, unknown>> => {
  const run = (await stand.filemakerBooks()).runs.find(({ key }) => key === `invoice-paid:${sessionId}`);
  return JSON.parse(run?.payload ?? '{}') as Record<string, unknown>;
};
const verdicts = ({ items }: Replayed): string[] => items.map(({ verdict }) => verdict);
const outcomes = ({ items }: Replayed): (string | null)[] => items.map(({ outcome }) => outcome);

test("the article's recovery: a dropped Session that names no invoice is shown, then applied once, then known", async () => {
  const { sessionId } = await dropped({});
  const without = await replay(sessionId, '--dry-run');
  expect(without.items).toMatchObject([{ objectId: sessionId, verdict: 'parked', reasonCode: 'NO_INVOICE_ID' }]);
  const shown = await replay(sessionId, '--invoice', '18637', '--dry-run');
  expect(shown).toMatchObject({ code: 0, plan: { state: 'ready' }, progress: { acting: 1 } });
  expect(shown.items).toMatchObject([{ verdict: 'would-apply', invoiceId: '18637', outcome: null }]);
  expect(await timesApplied(sessionId)).toBe(0);
  expect((await rows(database.executor, sql`select 1 from inbox.events where object_id = ${sessionId}`)).length).toBe(
    0,
  );

  const sent = await replay('--plan', shown.plan.id);
  expect(sent).toMatchObject({ code: 0, plan: { state: 'finished' } });
  expect(outcomes(sent)).toEqual(['applied']);
  expect(await timesApplied(sessionId)).toBe(1);
  expect(await payloadOf(sessionId)).toMatchObject({ invoice_id: '18637', checkout_session_id: sessionId });
  const recorded = await rows(
    database.executor,
    sql`select p.invoice_id, p.status, e.lane, e.origin, e.subject ->> 'replayPlan' as plan from flow_invoices.payments p
        join effects.effects e on e.key = p.effect_key where p.checkout_session_id = ${sessionId}`,
  );
  expect(recorded).toEqual([
    { invoice_id: '18637', status: 'paid', lane: 'invoice:18637', origin: 'operator', plan: shown.plan.id },
  ]);

  // The same plan once more, and the same payment once more: nothing is done twice.
  expect(outcomes(await replay('--plan', shown.plan.id))).toEqual(['applied']);
  const again = await replay(sessionId, '--invoice', '18637', '--yes');
  expect(again).toMatchObject({ code: 0, progress: { acting: 0 } });
  expect(verdicts(again)).toEqual(['already-applied']);
  expect(again.items[0]?.difference).toEqual([]);
  expect(await timesApplied(sessionId)).toBe(1);
}, 600_000);

test('a person sees the plan as a table, is not asked without a terminal, and learns how to send it', async () => {
  const { sessionId } = await dropped({ invoiceId: '20001', email: 'customer@example.org' });
  const shown = await bridge(['replay', sessionId, '--dry-run']);
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.out).toMatch(/would apply\s+20001\s+[\d,]+\.\d\d [A-Z]{3}/);
  expect(shown.out).toMatch(/Send exactly this with: \.\/bridge replay --plan \d+/);
  expect(shown.out + shown.err).not.toContain('customer@example.org');
  const asked = await bridge(['replay', sessionId]);
  expect(asked).toMatchObject({ code: 2 });
  expect(asked.err).toContain('--yes');
  expect(await timesApplied(sessionId)).toBe(0);
  const sent = await bridge(['replay', sessionId, '--yes']);
  expect(sent).toMatchObject({ code: 0 });
  expect(sent.out).toContain('1 applied');
  expect(await timesApplied(sessionId)).toBe(1);
}, 600_000);

test('a Session that names another invoice is refused, and applied to the given one only with --override and --why', async () => {
  const { sessionId } = await dropped({ invoiceId: '20010' });
  const refused = await replay(sessionId, '--invoice', '20011', '--yes');
  expect(refused).toMatchObject({ code: 1, items: [{ verdict: 'refused', reasonCode: 'NAMES_ANOTHER_INVOICE' }] });
  expect(await bridge(['replay', sessionId, '--invoice', '20011', '--override', '--yes'])).toMatchObject({ code: 2 });
  const meant = await replay(
    sessionId,
    '--invoice',
    '20011',
    '--override',
    '--why',
    'the customer typed it wrong',
    '--yes',
  );
  expect(outcomes(meant)).toEqual(['applied']);
  expect(await payloadOf(sessionId)).toMatchObject({ invoice_id: '20011' });
  const audit = await rows(
    database.executor,
    sql`select action, why, detail from operations.audit where why = 'the customer typed it wrong' order by id`,
  );
  expect(audit).toMatchObject([
    { action: 'replay.plan', detail: expect.stringContaining('given invoice 20011, override') },
    { action: 'replay.send' },
  ]);
}, 600_000);

test('a payment is found by PaymentIntent, charge and event, and a second payment of an invoice waits for a person', async () => {
  const first = await dropped({ invoiceId: '20020' });
  const completed = await rows(database.executor, sql`select 1 from inbox.events where object_id = ${first.sessionId}`);
  expect(completed).toEqual([]);
  const shown = await replay(first.paymentIntentId, first.chargeId, ...first.eventIds.slice(0, 1), '--dry-run');
  expect(new Set(shown.items.map(({ verdict }) => verdict)).has('would-apply')).toBe(true);
  await replay(first.chargeId, '--yes');
  expect(await timesApplied(first.sessionId)).toBe(1);
  expect(verdicts(await replay('20020', '--dry-run'))).toEqual(['already-applied']);

  const second = await dropped({ invoiceId: '20020' });
  const plan = await replay(second.sessionId, '--dry-run');
  expect(plan.items).toMatchObject([{ verdict: 'second-payment' }]);
  expect(outcomes(await replay('--plan', plan.plan.id))).toEqual(['parked']);
  expect(await timesApplied(second.sessionId)).toBe(0);
  expect(verdicts(await replay(second.sessionId, '--dry-run'))).toEqual(['second-payment']);
  expect(verdicts(await replay('cs_test_nowhere', 'evt_nowhere', '99999999', '--dry-run'))).toEqual([
    'not-found',
    'not-found',
    'not-found',
  ]);
}, 600_000);

test('what has changed at Stripe since it was shown is not sent', async () => {
  const { sessionId } = await dropped({ invoiceId: '20030' });
  const shown = await replay(sessionId, '--dry-run');
  expect(verdicts(shown)).toEqual(['would-apply']);
  await stand.stripe.ask('POST', '/settings', { delivery: { atOnce: false } });
  await stand.stripe.ask('POST', `/sales/${sessionId}/refund`, {});
  const sent = await replay('--plan', shown.plan.id);
  await stand.stripe.ask('POST', '/settings', { delivery: { atOnce: true } });
  expect(sent).toMatchObject({ code: 1 });
  expect(outcomes(sent)).toEqual(['changed-since']);
  expect(await timesApplied(sessionId)).toBe(0);
  expect(
    await rows(database.executor, sql`select 1 from effects.effects where key = ${`invoice-paid:${sessionId}`}`),
  ).toEqual([]);
}, 600_000);

test('an event that waits for a person because of the payment is settled when the replay has done what it waited for', async () => {
  const { sessionId, paymentIntentId } = await stand.stripe.ask<Sale>('POST', '/sales', {});
  const parked = () =>
    rows(
      database.executor,
      sql`select 1 from inbox.events where object_id in (${sessionId}, ${paymentIntentId}) and state = 'parked'`,
    );
  await eventually('parked', async () => (await parked()).length > 0, { tell: stand.tail });
  expect(outcomes(await replay(sessionId, '--invoice', '20040', '--yes'))).toEqual(['applied']);
  await eventually('released', async () => (await parked()).length === 0, { tell: stand.tail });
  expect(await timesApplied(sessionId)).toBe(1);
}, 600_000);

/** The worker that has the replay in hand. Between two of its turns nobody has: then the first. */
async function inHandOf(planId: string): Promise<RunningProcess | undefined> {
  for (const giveUpAt = performance.now() + 5_000; performance.now() < giveUpAt; ) {
    const [holder] = await rows<{ pid: number }>(
      database.executor,
      sql`select w.pid from claims.duties d join claims.workers w on w.id = d.held_by where d.name = ${`replay:${planId}`}`,
    );
    const found = stand.workers.find(({ pid }) => pid === holder?.pid);
    if (found !== undefined) return found;
  }
  return stand.workers[0];
}

test('300 payments of a range replayed while live ones flow, the worker killed in the middle: each once, live ones not held up', async () => {
  const since = new Date(Date.now() - 1_000).toISOString();
  await stand.stripe.ask('POST', '/sales/bulk', {
    count: 300,
    seed: 5,
    firstInvoiceId: 30_000,
    linesMax: 3,
    deliver: false,
  });
  const plan = await replay('--since', since, '--dry-run');
  expect(plan.progress.byVerdict['would-apply']).toBe(300);
  const before = (await stand.filemakerBooks()).summary.effectsApplied;
  // Two, so that somebody is alive all the time, however long a start takes here.
  await stand.startWorker();
  // Slow enough that a replay is under way for a quarter of a minute.
  await stand.filemaker.ask('POST', '/settings', { scriptMs: 250 });
  const unsent = async (): Promise<number> => {
    const [row] = await rows<{ n: number }>(
      database.executor,
      sql`select count(*)::int as n from operations.replay_items where plan_id = ${plan.plan.id} and sent_at is null`,
    );
    return row?.n ?? 0;
  };
  const sending = replay('--plan', plan.plan.id);
  // Its failure is told where it is awaited, whatever fails before.
  sending.catch(() => undefined);
  await stand.applied(before + 40, 180_000);
  const live: { unsentBefore: number; unsentAfter: number }[] = [];
  for (let sale = 0; sale < 10; sale += 1) {
    if (sale === KILLED_AFTER) await (await inHandOf(plan.plan.id))?.kill();
    const unsentBefore = await unsent();
    const { sessionId } = await stand.stripe.ask<Sale>('POST', '/sales', { invoiceId: `${40_000 + sale}` });
    await eventually('applied', async () => (await timesApplied(sessionId)) === 1, { tell: stand.tail });
    live.push({ unsentBefore, unsentAfter: await unsent() });
  }
  const sent = await sending;
  expect(sent).toMatchObject({ plan: { state: 'finished' } });
  const acted = sent.items.filter(({ verdict }) => verdict === 'would-apply');
  expect(acted.filter(({ outcome }) => outcome !== 'applied' && outcome !== 'already-applied')).toEqual([]);
  await stand.filemaker.ask('GET', '/wait?idle=true&timeoutMs=120000');
  const { applied } = await stand.filemakerBooks();
  const counts = acted.map(({ objectId }) => applied[`invoice-paid:${objectId}`] ?? 0);
  expect(counts.filter((count) => count !== 1)).toEqual([]);
  const sums = (await disagreements(stand)).filter((line) => acted.some(({ objectId }) => line.includes(objectId)));
  expect(sums).toEqual([]);
  // None waits for the replay's end: what was sold with much still to send was applied before the last of it was sent.
  expect(live.filter(({ unsentBefore, unsentAfter }) => unsentBefore > MUCH && unsentAfter === 0)).toEqual([]);
  expect(live[0]?.unsentBefore).toBeGreaterThan(MUCH);
  // The worker died in the middle of it.
  expect(live[KILLED_AFTER - 1]?.unsentAfter).toBeGreaterThan(0);
  await replay('--plan', plan.plan.id);
  const later = (await stand.filemakerBooks()).applied;
  expect(acted.map(({ objectId }) => later[`invoice-paid:${objectId}`])).toEqual(counts);
}, 900_000);

test('without a worker nothing is asked for, and the command says so', async () => {
  for (const worker of stand.workers) await worker.stop(90_000);
  // One that was killed without a word counts as there for a minute after its last.
  await database.executor.execute(sql`update claims.workers set heartbeat_at = heartbeat_at - interval '10 minutes'`);
  const { code, err } = await bridge(['replay', 'cs_test_any', '--dry-run']);
  expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('No worker is alive') });
}, 300_000);
