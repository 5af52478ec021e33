import { changed, type Database, type Executor } from '@bridge/database';
import { forgetAcceptedWhys } from '@bridge/reconciliation';
import { type SQL, sql } from 'drizzle-orm';

/**
 * What people have typed about a payment or a customer. That they acted, when, on what and with which outcome stays for good;
 * why they did is free text, which names customers. Acts on the bridge itself (pauses, going live, logins) keep their reason.
 */
const ABOUT_PAYMENTS = [
  'effect.resolve',
  'effect.correct',
  'event.reprocess',
  'finding.accept',
  'replay.plan',
  'replay.send',
  'replay.cancel',
  'replay.resume',
  'customer.forget',
] as const;
const ERASED = '(erased)';
/** Ids have this form; anything else in their place is what somebody typed there. */
const IDS_ONLY = '^[A-Za-z0-9_.:-]*([(]erased[)])?$';
/** Rows in one statement: short enough that nobody waits for it. */
const BATCH = 1_000;
const BATCHES_MAX = 10_000;

const texts = (values: readonly string[]): SQL => sql`${sql.param([...values])}::text[]`;

/** Whether anything is left to be erased in a row of the audit table. */
const speaks = sql`(why <> ${ERASED} or object !~ ${IDS_ONLY})`;
const silenced = sql`why = ${ERASED}, object = case when object ~ ${IDS_ONLY} then object else split_part(object, ':', 1) || ':' || ${ERASED} end`;

/** The words of plans: ids stay. */
const planSpeaks = sql`(why <> ${ERASED} or coalesce(send_why, ${ERASED}) <> ${ERASED}
  or exists (select 1 from jsonb_array_elements_text(args -> 'words') as w (word) where w.word !~ ${IDS_ONLY}))`;
const planSilenced = sql`why = ${ERASED}, send_why = case when send_why is null then null else ${ERASED} end,
  args = jsonb_set(args, '{words}', coalesce((select jsonb_agg(case when w.word ~ ${IDS_ONLY} then w.word else ${ERASED} end order by w.place)
    from jsonb_array_elements_text(args -> 'words') with ordinality as w (word, place)), '[]'::jsonb))`;

/** Erases what people typed about payments before `before`. Returns how many rows. */
export async function eraseWords(database: Database, before: Date): Promise<number> {
  const { executor } = database;
  const moment = sql`${before.toISOString()}::timestamptz`;
  const batches: (() => Promise<number>)[] = [
    () =>
      changed(
        executor,
        sql`update operations.audit set ${silenced} where id in (select id from operations.audit
            where at < ${moment} and action = any(${texts(ABOUT_PAYMENTS)}) and ${speaks} order by id limit ${BATCH})`,
      ),
    () =>
      changed(
        executor,
        sql`update operations.replay_plans set ${planSilenced} where id in (select id from operations.replay_plans
            where finished_at < ${moment} and ${planSpeaks} order by id limit ${BATCH})`,
      ),
    () =>
      changed(
        executor,
        sql`update operations.replay_items set word = ${ERASED} where id in (select i.id from operations.replay_items i
            join operations.replay_plans p on p.id = i.plan_id
            where p.finished_at < ${moment} and i.word !~ ${IDS_ONLY} order by i.id limit ${BATCH})`,
      ),
    () => forgetAcceptedWhys(executor, { before, limit: BATCH }),
  ];
  let erased = 0;
  for (const batch of batches) {
    for (let turn = 0; turn < BATCHES_MAX; turn += 1) {
      const count = await batch();
      erased += count;
      if (count < BATCH) break;
    }
  }
  return erased;
}

/**
 * The same at once, of what was typed about these objects (`effect:12`, `event:34`, and ids at Stripe), and wherever the
 * customer's own address was typed.
 */
export async function forgetWords(
  tx: Executor,
  about: { customer: string; objects: readonly string[]; objectIds: readonly string[] },
): Promise<void> {
  const ids = texts(about.objectIds);
  const plans = sql`select plan_id from operations.replay_items where object_id = any(${ids})`;
  await changed(
    tx,
    sql`update operations.audit set ${silenced}
        where action = any(${texts(ABOUT_PAYMENTS)}) and ${speaks}
          and (object = any(${texts(about.objects)})
            or strpos(lower(object || ' ' || why), lower(${about.customer})) > 0
            or object in (select 'finding:' || id from reconciliation.findings where object_id = any(${ids}))
            or object in (select 'replay:' || plan_id from (${plans}) p)
            or (action = 'replay.plan' and substring(detail from '^plan ([0-9]{1,18})')::bigint in (${plans})))`,
  );
  await changed(tx, sql`update operations.replay_plans set ${planSilenced} where id in (${plans}) and ${planSpeaks}`);
  await changed(
    tx,
    sql`update operations.replay_items set word = ${ERASED} where object_id = any(${ids}) and word !~ ${IDS_ONLY}`,
  );
  await forgetAcceptedWhys(tx, { objectIds: about.objectIds });
}
