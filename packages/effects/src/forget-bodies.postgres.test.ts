import type { Database } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { planOf, startEffectsStand } from '../tests/effects-stand';
import { createEffectReader } from './effect-reader';
import type { EffectStore } from './effect-store';
import { forgetEffects, traceEffects } from './forget-bodies';

let database: Database;
let store: EffectStore;
let end: () => Promise<void>;
beforeAll(async () => {
  ({ database, store, end } = await startEffectsStand());
});
afterAll(() => end());

/** An effect that was settled with this result. */
async function settled(session: string, result: unknown): Promise<string> {
  const { id } = await store.plan(
    database.executor,
    planOf({
      key: `invoice-paid:${session}`,
      lane: null,
      body: '{"email":"buyer@shop.example"}',
      subject: { checkoutSessionId: session },
    }),
  );
  await database.executor.execute(
    sql`update effects.effects set state = 'done', verified = false, settled_at = now(), result = ${JSON.stringify(result)}::jsonb where id = ${id}`,
  );
  return id;
}
const traced = async (session: string) =>
  (await traceEffects(database, { needles: [], objectIds: [session] }, { after: '0', limit: 100 })).found;

test("what names a customer is erased, and a person's decision still stands as that person's", async () => {
  const id = await settled('cs_person', { resolvedBy: 'cli:ada', why: 'Mrs Li has called' });
  expect(await traced('cs_person')).toMatchObject([{ id, holdsBody: true }]);
  expect(await forgetEffects(database.executor, [id])).toBe(1);
  const { rows } = await database.executor.execute(sql`select body, result from effects.effects where id = ${id}`);
  expect(rows).toEqual([{ body: null, result: { resolvedBy: 'cli:ada' } }]);
  const standings = await createEffectReader(database.executor).standings(['invoice-paid:cs_person']);
  expect(standings.get('invoice-paid:cs_person')).toMatchObject({ state: 'done', byPerson: true });
});

test.each([[{ invoice: '1', note: 'for Mrs Li' }], ['a text'], [['a', 'list']], [7], [null]])(
  "FileMaker's answer %j is erased whole, and erasing twice erases once",
  async (result) => {
    const session = `cs_${JSON.stringify(result).replace(/\W/g, '')}`;
    const id = await settled(session, result);
    expect(await forgetEffects(database.executor, [id])).toBe(1);
    const { rows } = await database.executor.execute(
      sql`select body, result, body_sha256 is not null as kept from effects.effects where id = ${id}`,
    );
    expect(rows).toEqual([{ body: null, result: null, kept: true }]);
    expect(await traced(session)).toMatchObject([{ holdsBody: false }]);
    expect(await forgetEffects(database.executor, [id])).toBe(0);
  },
);
