import { changed, type Transaction } from '@bridge/database';
import { forgetAcceptedWhys } from '@bridge/reconciliation';
import { type SQL, sql } from 'drizzle-orm';

/**
 * Acts about a payment or a customer. Why they were done is free text, which may name a customer. Acts on the bridge itself
 * (pauses, going live, logins) are about nobody.
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

/**
 * Erases what was typed about these objects (`effect:12`, `event:34`, and ids at Stripe), and wherever the customer's own
 * address was typed. Only a person's wish to forget a customer does this; no clock does, because whoever audits the books
 * needs to know why somebody acted. Returns how many rows.
 */
export async function forgetWords(
  tx: Transaction,
  about: { customer: string; objects: readonly string[]; objectIds: readonly string[] },
): Promise<number> {
  const ids = texts(about.objectIds);
  const names = (text: SQL): SQL => sql`strpos(lower(${text}), lower(${about.customer})) > 0`;
  const plans = sql`select plan_id from operations.replay_items where object_id = any(${ids})
    union select id from operations.replay_plans where ${names(sql`concat_ws(' ', args ->> 'words', why, send_why)`)}`;
  const acts = await changed(
    tx,
    sql`update operations.audit set ${silenced}
        where action = any(${texts(ABOUT_PAYMENTS)}) and ${speaks}
          and (object = any(${texts(about.objects)})
            or ${names(sql`object || ' ' || why`)}
            or object in (select 'finding:' || id from reconciliation.findings where object_id = any(${ids}))
            or object in (select 'replay:' || plan_id from (${plans}) p)
            or (action = 'replay.plan' and substring(detail from '^plan ([0-9]{1,18})')::bigint in (${plans})))`,
  );
  const planned = await changed(
    tx,
    sql`update operations.replay_plans set ${planSilenced} where id in (${plans}) and ${planSpeaks}`,
  );
  const items = await changed(
    tx,
    // A word that led nowhere stands in the place of the object too.
    sql`update operations.replay_items set word = ${ERASED},
          object_id = case when object_id ~ ${IDS_ONLY} then object_id else id::text || ${ERASED}::text end
        where (object_id = any(${ids}) or ${names(sql`word`)}) and word !~ ${IDS_ONLY}`,
  );
  return acts + planned + items + (await forgetAcceptedWhys(tx, about.objectIds));
}
