import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import { readLatestComparison, recordComparison } from './comparisons';
import { createEventWatermarks, type EventWatermarks } from './event-watermark';
import { reconciliationMigrations } from './migrations';

let database: Database;
let marks: EventWatermarks;
let end: () => Promise<void>;

beforeEach(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [reconciliationMigrations]);
  database = createDatabase({ url: created.url, poolMax: 3, applicationName: 'watermark-test' });
  marks = createEventWatermarks(database);
  end = async () => {
    await database.close();
    await created.drop();
  };
});
afterEach(() => end());

const at = (seconds: number): Date => new Date(1_790_000_000_000 + seconds * 1_000);

test('the mark moves forward and never back, and only with the transaction that stores the events', async () => {
  expect(await marks.read()).toBeUndefined();
  await database.transaction((tx) => marks.advance(tx, { reachedAt: at(10), delivery: 'pull' }));
  await database.transaction((tx) => marks.advance(tx, { reachedAt: at(5), delivery: 'pull' }));
  expect((await marks.read())?.reachedAt).toEqual(at(10));
  const undone = database.transaction(async (tx) => {
    await marks.advance(tx, { reachedAt: at(99), delivery: 'pull' });
    throw new Error('the rows could not be stored');
  });
  await expect(undone).rejects.toThrow('could not be stored');
  expect((await marks.read())?.reachedAt).toEqual(at(10));
});

test('a failure keeps its first moment until a fetch comes to its end, and fetches are numbered', async () => {
  await marks.fail('pull', { code: 'STRIPE_UNAVAILABLE', message: 'HTTP 503' });
  const first = (await marks.read())?.failing;
  await marks.fail('pull', { code: 'STRIPE_TIMEOUT', message: 'no answer' });
  expect((await marks.read())?.failing).toEqual({
    since: first?.since,
    code: 'STRIPE_TIMEOUT',
    message: 'no answer',
  });
  expect(await marks.finish('pull')).toBe('1');
  expect(await marks.read()).toMatchObject({ fetchNo: '1', failing: null, delivery: 'pull', reachedAt: null });
  expect(await marks.finish('reconciliation')).toBe('2');
  const mark = await marks.read();
  expect(mark?.delivery).toBe('reconciliation');
  expect(mark?.sinceFetchedMs).toBeGreaterThanOrEqual(0);
  expect(mark?.sinceFetchedMs).toBeLessThan(60_000);
});

test('what the list did not reach back to stays on record, also after later fetches', async () => {
  await marks.noteMissed('reconciliation', { from: at(0), until: at(100) });
  await marks.finish('reconciliation');
  expect((await marks.read())?.missed).toMatchObject({ from: at(0), until: at(100) });
});

test('the latest comparison is the one that is told', async () => {
  expect(await readLatestComparison(database)).toBeUndefined();
  await recordComparison(database, { compared: 1, shown: 1, notShown: 0, cannotTell: 0, differing: [] });
  const differing = [{ effectId: '7', title: 'Mark invoice 7 paid' }];
  await recordComparison(database, { compared: 3, shown: 1, notShown: 1, cannotTell: 1, differing });
  expect(await readLatestComparison(database)).toEqual({
    at: expect.any(Date),
    compared: 3,
    shown: 1,
    notShown: 1,
    cannotTell: 1,
    differing,
  });
});
