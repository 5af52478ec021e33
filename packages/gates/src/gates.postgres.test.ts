import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { createGates, type Gates, PROBE_EVERY_MS } from './gates';
import { gatesMigrations } from './migrations';

let database: Database;
let gates: Gates;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [gatesMigrations]);
  database = createDatabase({ url: created.url, poolMax: 6, applicationName: 'gates-test' });
  gates = createGates(database);
  end = async () => {
    await database.close();
    await created.drop();
  };
});
beforeEach(() => database.executor.execute(sql`truncate gates.closures, gates.circuits`));
afterAll(() => end());

const probeDue = (peer: string) =>
  database.executor.execute(sql`update gates.circuits set next_probe_at = clock_timestamp() where peer = ${peer}`);
const told = async (scopes?: string[]) =>
  (await gates.closures(scopes)).map(({ scope, kind, cause, detail, by }) => ({ scope, kind, cause, detail, by }));

test('without a row every gate is open', async () => {
  expect(await gates.closures()).toEqual([]);
  expect(await gates.takeProbe('filemaker')).toBe(false);
  expect(await gates.closeCircuit('filemaker')).toBe(false);
  expect(await gates.resume('filemaker')).toBe(0);
});

test('a halt keeps its first cause, whatever fails afterwards', async () => {
  await gates.halt('filemaker', 'FILEMAKER_CREDENTIALS', 'code 212', 'worker-1');
  await gates.halt('filemaker', 'FILEMAKER_LICENCE', 'code 1711', 'worker-2');
  expect(await told()).toEqual([
    { scope: 'filemaker', kind: 'halt', cause: 'FILEMAKER_CREDENTIALS', detail: 'code 212', by: 'worker-1' },
  ]);
});

test('halts of many processes at the same moment leave one', async () => {
  await Promise.all(Array.from({ length: 5 }, (_, n) => gates.halt('script:X', `CAUSE_${n}`, '', 'worker')));
  expect(await gates.closures()).toHaveLength(1);
});

test('a pause and a halt stand side by side, and a person lifts both at once', async () => {
  await gates.pause('filemaker', 'stock-taking', 'anna');
  await gates.halt('filemaker', 'FILEMAKER_CREDENTIALS', 'code 212', 'worker-1');
  await gates.pause('script:X', 'being rewritten', 'anna');
  expect((await gates.closures(['filemaker'])).map(({ kind }) => kind)).toEqual(['pause', 'halt']);
  expect(await gates.resume('filemaker')).toBe(2);
  expect((await told()).map(({ scope }) => scope)).toEqual(['script:X']);
});

test('closures are told for the scopes asked about only, the oldest first, with their time', async () => {
  await gates.openCircuit('stripe', '503');
  await gates.pause('flow:invoices', 'audit', 'anna');
  await gates.halt('script:X', 'FILEMAKER_SCRIPT_MISSING', 'code 104', 'worker-1');
  const closures = await gates.closures(['script:X', 'stripe', 'filemaker']);
  expect(closures.map(({ scope }) => scope)).toEqual(['stripe', 'script:X']);
  const { rows } = await database.executor.execute(sql`select extract(epoch from clock_timestamp())::float8 as now`);
  expect(Math.abs(Number(rows[0]?.now) * 1_000 - Number(closures[0]?.since))).toBeLessThan(60_000);
});

test('of five processes one looks after an absent peer, and the others wait until it has looked', async () => {
  await gates.openCircuit('filemaker', 'no connection');
  // Just failed: too early by half a second, which a slow machine may need to ask.
  const { rows } = await database.executor.execute(
    sql`update gates.circuits set next_probe_at = next_probe_at + interval '1 minute'
        returning (extract(epoch from next_probe_at - interval '1 minute' - opened_at) * 1000)::float8 as waits_ms`,
  );
  expect(rows[0]?.waits_ms).toBeGreaterThan(PROBE_EVERY_MS / 2);
  expect(await gates.takeProbe('filemaker')).toBe(false);
  await probeDue('filemaker');
  const contenders = Array.from({ length: 5 }, () => gates.takeProbe('filemaker'));
  expect((await Promise.all(contenders)).filter((took) => took)).toHaveLength(1);
  // Half a second has passed: the probe in hand still keeps the others away.
  await database.executor.execute(sql`update gates.circuits set next_probe_at = next_probe_at - interval '1 second'`);
  expect(await gates.takeProbe('filemaker')).toBe(false);
  await gates.probeFailed('filemaker');
  await database.executor.execute(sql`update gates.circuits set next_probe_at = next_probe_at - interval '1 second'`);
  expect(await gates.takeProbe('filemaker')).toBe(true);
});

test('a process that dies while it looks keeps the others from looking for seconds, not for ever', async () => {
  await gates.openCircuit('stripe', '503');
  await probeDue('stripe');
  expect(await gates.takeProbe('stripe')).toBe(true);
  await database.executor.execute(sql`update gates.circuits set next_probe_at = next_probe_at - interval '8 seconds'`);
  expect(await gates.takeProbe('stripe')).toBe(true);
});

test('a circuit keeps its first reason, closes once, and opens anew with a new one', async () => {
  await gates.openCircuit('stripe', '503');
  await gates.openCircuit('stripe', 'timeout');
  expect(await told(['stripe'])).toEqual([
    { scope: 'stripe', kind: 'circuit', cause: 'PEER_AWAY', detail: '503', by: 'bridge' },
  ]);
  expect([await gates.closeCircuit('stripe'), await gates.closeCircuit('stripe')]).toEqual([true, false]);
  await gates.openCircuit('stripe', 'timeout');
  expect((await told(['stripe']))[0]?.detail).toBe('timeout');
});

test('resuming is for what people and faults have closed: an open circuit waits for its probe', async () => {
  await gates.openCircuit('filemaker', 'no connection');
  expect(await gates.resume('filemaker')).toBe(0);
  expect(await gates.closures(['filemaker'])).toHaveLength(1);
});

describe('maintenance windows', () => {
  const minuteOf = (date: Date): number => date.getUTCHours() * 60 + date.getUTCMinutes();
  const days = [1, 2, 3, 4, 5, 6, 7];
  const windowAt = (from: Date, to: Date, scope = 'script:X') => ({
    scope,
    days,
    fromMinute: minuteOf(from),
    toMinute: minuteOf(to),
    timeZone: 'UTC',
    why: 'backup',
  });
  const postgresNow = async (): Promise<Date> => {
    const { rows } = await database.executor.execute(sql`select extract(epoch from clock_timestamp())::float8 as now`);
    return new Date(Number(rows[0]?.now) * 1_000);
  };
  const after = (date: Date, minutes: number): Date => new Date(date.getTime() + minutes * 60_000);

  test("one that is open by PostgreSQL's clock closes its scope like a pause, and says until when", async () => {
    const now = await postgresNow();
    const open = windowAt(after(now, -30), after(now, 30));
    const over = windowAt(after(now, -90), after(now, -60), 'script:Y');
    const windowed = createGates(database, { windows: [open, over] });
    const [closure, ...others] = await windowed.closures();
    expect(others).toEqual([]);
    expect(closure).toMatchObject({
      scope: 'script:X',
      kind: 'window',
      cause: 'MAINTENANCE_WINDOW',
      by: 'configuration',
    });
    expect(closure?.detail).toMatch(/^backup, until \d{4}-\d{2}-\d{2} \d{2}:\d{2} \(UTC\)$/);
    expect(Math.abs(Number(closure?.until) - after(now, 30).getTime())).toBeLessThanOrEqual(60_000);
    expect(await windowed.closures(['script:Y', 'filemaker'])).toEqual([]);
    expect(await gates.closures()).toEqual([]);
  });

  test('it stands beside a pause and a circuit, and nobody can resume it away', async () => {
    const now = await postgresNow();
    const windowed = createGates(database, { windows: [windowAt(after(now, -30), after(now, 30), 'filemaker')] });
    await windowed.pause('filemaker', 'stock-taking', 'anna');
    await windowed.openCircuit('filemaker', 'no connection');
    expect((await windowed.closures(['filemaker'])).map(({ kind }) => kind)).toEqual(['window', 'pause', 'circuit']);
    expect(await windowed.resume('filemaker')).toBe(1);
    expect((await windowed.closures(['filemaker'])).map(({ kind }) => kind)).toEqual(['window', 'circuit']);
  });
});
