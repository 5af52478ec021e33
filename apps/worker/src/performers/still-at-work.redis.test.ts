import { sql } from 'drizzle-orm';
import { type Bench, type BenchOptions, setupBench, startBenchServices } from '../../tests/filemaker-bench';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let services: Awaited<ReturnType<typeof startBenchServices>>;
const cleanups: (() => Promise<void>)[] = [];
beforeAll(async () => {
  services = await startBenchServices();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => services.stop());

/** How long the client waits for a script that is held, and so the least that every other call has. */
const HELD_MS = 3_000;
const PLAIN = { contract: 'plain', log: null } as const;

/** FileMaker holds each script before its end. */
const setup = (simulator: BenchOptions['simulator'] = {}): Promise<Bench> =>
  setupBench(services, cleanups, { simulator: { holdScripts: 'before-commit', ...simulator }, timeoutMs: HELD_MS });
/** Sends it; its answer does not come in time, and the script goes on. */
async function lose(bench: Bench, id: string): Promise<void> {
  expect(await bench.turn(id)).toMatchObject({ kind: 'unknown' });
  await bench.gates.closeCircuit('filemaker');
}
async function expectWaitedFor(bench: Bench, paid: string, behind: string): Promise<void> {
  expect(await bench.turn(paid)).toMatchObject({ kind: 'waiting', code: 'SCRIPT_STILL_RUNNING' });
  expect(await bench.turn(behind)).toMatchObject({ kind: 'nothing', because: 'behind in its lane' });
  expect(bench.simulator.books.summary().running).toBe(1);
}
async function letScriptsEnd(bench: Bench): Promise<void> {
  await bench.control('/settings', { holdScripts: 'none' });
  await bench.simulator.books.waitFor({ idle: true }, 60_000);
}

test("a kit's script without transactions that is still at work is waited for and holds its lane, whatever its row says", async () => {
  const bench = await setup({ kitTransactions: false });
  const paid = await bench.plan();
  const refund = await bench.plan({ script: 'STRIPE_REFUND' });
  await lose(bench, paid);
  await expectWaitedFor(bench, paid, refund);
  await letScriptsEnd(bench);
  expect(await bench.settle(paid)).toMatchObject({ kind: 'done' });
  expect(await bench.settle(refund)).toMatchObject({ kind: 'done' });
});

test('a plain script that cannot be asked about is parked when it is over, not while it is at work', async () => {
  const bench = await setup();
  const paid = await bench.plan(PLAIN);
  const refund = await bench.plan({ ...PLAIN, script: 'STRIPE_REFUND' });
  await lose(bench, paid);
  await expectWaitedFor(bench, paid, refund);
  await letScriptsEnd(bench);
  expect(await bench.settle(paid)).toMatchObject({ kind: 'parked', code: 'CANNOT_BE_ASKED' });
});

test('a probe that finds the payment while its script is still at work does not free the lane', async () => {
  const bench = await setup();
  const probe = { layout: 'bridge_log', field: 'idempotency_key', value: 'cs_of_the_payment', proves: true };
  const paid = await bench.plan({ ...PLAIN, probe });
  const refund = await bench.plan({ ...PLAIN, script: 'STRIPE_REFUND' });
  await lose(bench, paid);
  // The script has filled the field and goes on with its work.
  await bench.control('/databases/Shop/tables/log/records', { fieldData: { idempotency_key: probe.value } });
  await expectWaitedFor(bench, paid, refund);
  await letScriptsEnd(bench);
  expect(await bench.settle(paid)).toMatchObject({ kind: 'done', verified: true });
});

test.each(['present', 'absent'] as const)(
  'a script that has answered is not waited for, whether a session can be asked or not (isSessionInUse %s)',
  async (isSessionInUseFlag) => {
    const bench = await setup({ holdScripts: 'none', isSessionInUseFlag });
    const paid = await bench.plan(PLAIN);
    await bench.trouble({ kind: 'script-error', on: ['run'], code: '401' });
    expect(await bench.turn(paid)).toMatchObject({ kind: 'unknown' });
    expect(await bench.turn(paid)).toMatchObject({ kind: 'parked', code: 'CANNOT_BE_ASKED' });
  },
);

test('a log in which our row may not be made parks an old effect and frees its lane', async () => {
  const denied = [{ layout: 'bridge_log', actions: ['create' as const] }];
  const bench = await setup({
    holdScripts: 'none',
    accounts: [{ name: 'bridge', password: 'bridge', hiddenLayouts: [], hiddenScripts: [], denied }],
  });
  const id = await bench.plan({}, { checkFirst: true });
  await bench.database.executor.execute(
    sql`update effects.effects set planned_at = planned_at - interval '2 hours' where id = ${id}`,
  );
  const real = performance.now.bind(performance);
  let ahead = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => real() + ahead);
  cleanups.push(async () => clock.mockRestore());
  expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SENTINEL_MISSING' });
  ahead = 70_000;
  expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'SENTINEL_MISSING' });
});

test('an effect that is hours old when the sentinel is missing waits for the one that is planted, and is not parked', async () => {
  const bench = await setup({ holdScripts: 'none' });
  const id = await bench.plan({}, { checkFirst: true });
  await bench.database.executor.execute(
    sql`update effects.effects set planned_at = planned_at - interval '2 hours' where id = ${id}`,
  );
  expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SENTINEL_MISSING' });
  expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
});
