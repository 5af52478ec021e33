import { registerWorker } from '@bridge/claims';
import { createDatabase, type Database, migrate, rows } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import {
  addReplayItems,
  askReplay,
  itemsToLook,
  listAudit,
  markCollected,
  markReady,
  sendReplay,
  settleItem,
  storeLooks,
} from '@bridge/operations';
import { createTestDatabase, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { migrationSources } from './command-context';

// Commands as processes, several a test; minutes on a machine that is busy with other things.
jest.setTimeout(300_000);

const run = (args: readonly string[], env: Record<string, string> = {}) => runBridge(['replay', ...args], env);

let url: string;
let database: Database;
let drop: () => Promise<void>;
const bridge = (line: string) => run(line.split(' '), { DATABASE_URL: url });

beforeAll(async () => {
  const test = await createTestDatabase();
  ({ url, drop } = test);
  await migrate(url, migrationSources);
  database = createDatabase({ url, poolMax: 2, applicationName: 'replay-command-test' });
});
afterAll(async () => {
  await database.close();
  await drop();
});

const asked = { by: 'cli:ada', why: 'the webhook was lost' };
/** A plan as a worker leaves it: one payment that differs from what was frozen, one that would apply. */
async function shownPlan(): Promise<string> {
  const { id: effectId } = await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: 'invoice-paid:cs_1',
    lane: 'invoice:18637',
    title: 'Mark invoice 18637 paid',
    target: {},
    body: JSON.stringify({ email: 'before@example.org', items: [{ quantity: '1' }] }),
    subject: {},
    origin: 'webhook',
    checkFirst: false,
    parked: { reasonCode: 'FILEMAKER_SCRIPT_ERROR', reason: 'it said no' },
  });
  const id = await askReplay(database, { words: ['cs_1', 'cs_2'] }, asked);
  const event = (objectId: string) => ({
    objectId,
    eventType: 'checkout.session.completed',
    object: { id: objectId },
    livemode: false,
    createdAt: null,
  });
  const items = ['cs_1', 'cs_2'].map((word) => ({ word, event: event(word) }));
  await addReplayItems(database, id, { items, cursor: {} });
  await markCollected(database.executor, id);
  const looks = await itemsToLook(database.executor, id, 10);
  await storeLooks(
    database.executor,
    looks.map(({ id: itemId, objectId }) => ({
      itemId,
      verdict: objectId === 'cs_1' ? 'parked' : 'would-apply',
      acts: objectId === 'cs_1' ? 'release' : 'send',
      reasonCode: null,
      reason: null,
      invoiceId: '18637',
      amount: 738_000,
      currency: 'usd',
      occurredAt: null,
      effectKey: `invoice-paid:${objectId}`,
      effectId: objectId === 'cs_1' ? effectId : null,
      restsOn: null,
      shown: [
        {
          key: `invoice-paid:${objectId}`,
          digest: 'd',
          body: JSON.stringify({ email: 'after@example.org', items: [{ quantity: '2' }] }),
        },
      ],
      difference: objectId === 'cs_1' ? ['email', 'items[0].quantity'] : [],
    })),
  );
  await markReady(database.executor, id);
  return id;
}

test.each([
  '',
  '--dry-run',
  '--until 2026-11-22T08:00:00Z',
  'cs_1 --since yesterday',
  '--since 2026-11-22',
  '--since 2026-11-22T09:00:00Z --until 2026-11-22T08:00:00Z',
  'cs_1 cs_2 --invoice 18637',
  '--invoice 18637',
  'cs_1 --invoice 18637 --override',
  'cs_1 --override --why x',
  'cs_1 --plan 1',
  '--plan 1 --resume 2',
  '--plan 1 --dry-run',
  '--nonsense',
])('"bridge replay %s" is wrong usage, said before anything is asked', async (line) => {
  const { code, out, err } = await run(line.split(' ').filter(Boolean));
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).not.toBe('');
});

test('an empty invoice number is wrong usage', async () => {
  expect(await run(['cs_1', '--invoice', '  '])).toMatchObject({ code: 2 });
});

test('a plan that is not there, or may not be sent, is refused with the reason', async () => {
  expect(await bridge('--plan 999')).toMatchObject({ code: 1, err: 'bridge: There is no replay 999.\n' });
  const id = await shownPlan();
  const given = await bridge(`--cancel ${id} --json`);
  expect(given.code).toBe(0);
  expect(JSON.parse(given.out)).toMatchObject({ plan: { id, state: 'cancelled' }, progress: { items: 2, acting: 2 } });
  expect(await bridge(`--plan ${id}`)).toMatchObject({ code: 1, err: `bridge: Replay ${id} is cancelled.\n` });
  expect(await listAudit(database, { object: `replay:${id}`, limit: 5 })).toMatchObject([
    { action: 'replay.send', outcome: 'refused', detail: 'REPLAY_OVER' },
    { action: 'replay.cancel', outcome: 'done' },
  ]);
  await database.executor.execute(sql`truncate effects.effects cascade`);
});

test('where no terminal of the person who asked listens, the difference is told by its places, never by its values', async () => {
  const id = await shownPlan();
  const text = await bridge(`--cancel ${id}`);
  const json = await bridge(`--cancel ${id} --json`);
  expect(text.out).toMatch(/parked, would go on\s+18637\s+7,380\.00 USD\s+2 fields/);
  expect(text.out).toContain('items[0].quantity');
  for (const said of [text, json]) expect(said.out + said.err).not.toContain('@example.org');
  expect(JSON.parse(json.out)).toMatchObject({ items: [{ difference: ['email', 'items[0].quantity'] }, {}] });
  await database.executor.execute(sql`truncate effects.effects cascade`);
});

test('a plan that was broken off is gone on with, and its end tells whether all went well', async () => {
  const worker = await registerWorker(database, { app: 'worker' });
  try {
    const id = await shownPlan();
    await sendReplay(database, id, asked);
    const going = bridge(`--resume ${id} --json`);
    // What a worker does meanwhile.
    const items = await rows<{ id: string }>(
      database.executor,
      sql`select id from operations.replay_items where plan_id = ${id} order by id`,
    );
    await settleItem(database.executor, items[0]?.id ?? '', { outcome: 'applied', code: null, reason: null });
    await settleItem(database.executor, items[1]?.id ?? '', {
      outcome: 'changed-since',
      code: 'CHANGED_SINCE',
      reason: 'x',
    });
    await database.executor.execute(
      sql`update operations.replay_plans set state = 'finished', finished_at = clock_timestamp() where id = ${id}`,
    );
    const ended = await going;
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.out)).toMatchObject({
      plan: { state: 'finished' },
      progress: { byOutcome: { applied: 1, 'changed-since': 1 } },
    });
  } finally {
    await worker.stop();
  }
});

test('"bridge replay --help" has --json and examples', async () => {
  const { code, out } = await run(['--help']);
  expect(code).toBe(0);
  expect(out).toContain('--json');
  expect(out).toContain('$ ./bridge replay cs_live_a1 --invoice 18637');
});
