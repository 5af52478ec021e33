import { claimsMigrations } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createEffectStore, effectsMigrations } from '@bridge/effects';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { compareObserved } from './compare-observed';
import type { Asked, FindQuestion, FindTold } from './performers/batched-find';
import type { ScriptTarget } from './performers/script-target';

let database: Database;
let end: () => Promise<void>;

beforeAll(async () => {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, effectsMigrations]);
  database = createDatabase({ url: created.url, poolMax: 2, applicationName: 'compare-test' });
  end = async () => {
    await database.close();
    await created.drop();
  };
});
beforeEach(() => database.executor.execute(sql`truncate effects.attempts, effects.effects restart identity`));
afterAll(() => end());

const probe = (value: string, proves = true): ScriptTarget['probe'] => ({
  layout: 'web_invoices',
  field: 'stripe_session_id',
  value,
  proves,
});
const log = { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' };

async function plan(name: string, target: Partial<ScriptTarget>): Promise<void> {
  await createEffectStore(database).plan(database.executor, {
    kind: 'filemaker-script',
    flow: 'invoices',
    key: `invoice-paid:${name}`,
    lane: null,
    title: `Mark invoice ${name} paid`,
    target: {
      layout: 'web_invoices',
      script: 'S',
      contract: 'kit',
      transport: 'get',
      handoffLayout: null,
      probe: null,
      log: null,
      ...target,
    },
    body: '{}',
    subject: {},
    origin: 'webhook',
    checkFirst: true,
    askOnly: true,
  });
}

/** What FileMaker shows, by field and value. */
function findWith(shown: Record<string, Record<string, string>>) {
  const asked: FindQuestion[] = [];
  const find = async (question: FindQuestion): Promise<Asked<FindTold>> => {
    asked.push(question);
    const fieldData = shown[`${question.field}=${question.value}`];
    const rows = fieldData === undefined ? [] : [{ recordId: '1', modId: '1', fieldData }];
    return {
      kind: 'asked',
      value: { rows: rows as unknown as FindTold['rows'], sentinelFound: false, cutShort: false },
    };
  };
  return { find, asked };
}

test("the company's own field shows what an older handler did, our log what our own script did; what neither shows is named", async () => {
  await plan('one', { probe: probe('cs_one'), log });
  await plan('two', { log });
  await plan('three', { probe: probe('cs_three'), log });
  await plan('started', { log });
  await plan('invoice', { probe: probe('18637', false) });
  await plan('nowhere', {});
  const { find, asked } = findWith({
    'stripe_session_id=cs_one': {},
    'idempotency_key=invoice-paid:two': { state: 'done' },
    'idempotency_key=invoice-paid:started': { state: 'started' },
  });
  expect(await compareObserved({ database, find })).toEqual({
    kind: 'compared',
    comparison: {
      compared: 6,
      shown: 2,
      notShown: 2,
      cannotTell: 2,
      differing: [
        { effectId: '3', title: 'Mark invoice three paid' },
        { effectId: '4', title: 'Mark invoice started paid' },
      ],
    },
  });
  // Nothing is planted while observing.
  expect(asked.every(({ sentinel }) => sentinel === null)).toBe(true);
  const { rows } = await database.executor.execute(
    sql`select count(*)::int as n from effects.effects where state = 'planned' and claimed_by is null`,
  );
  expect(rows).toEqual([{ n: 6 }]);
});

test('a FileMaker that cannot be asked gives no report rather than a wrong one', async () => {
  await plan('one', { log });
  const held = { kind: 'wait', afterMs: 1_000, code: 'FILEMAKER_AWAY', message: 'no answer' } as const;
  expect(await compareObserved({ database, find: async () => ({ kind: 'held-back', held }) })).toEqual({
    kind: 'held-back',
    held,
  });
});

test('pages reach the last effect, and twenty of those not shown are named', async () => {
  for (let index = 0; index < 120; index += 1) await plan(`n${index}`, { probe: probe(`cs_${index}`) });
  const { find } = findWith({});
  const ending = await compareObserved({ database, find });
  expect(ending).toMatchObject({ comparison: { compared: 120, notShown: 120 } });
  expect(ending.kind === 'compared' ? ending.comparison.differing : []).toHaveLength(20);
});
