import { changed, rows, type Transaction } from '@bridge/database';
import { forgetAcceptedWhys } from '@bridge/reconciliation';
import { type SQL, sql } from 'drizzle-orm';
import { mayName, mentions, type PersonWord, plainPieceOf } from './mentions';

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

/** A customer, as far as words can name them. */
export interface AboutCustomer {
  customer: string;
  /** Words of their names, addresses and telephone numbers; empty: no body is left that tells them. */
  personWords: readonly PersonWord[];
  /** What of theirs was acted on, as the audit table names it: `effect:12`, `event:34`. */
  objects: readonly string[];
  /** Their ids at Stripe. */
  objectIds: readonly string[];
}

/** Rows with the customer's address or id in their text, as a whole: a wide look in the database, then a close one here. */
async function naming(
  tx: Transaction,
  { customer }: AboutCustomer,
  { table, id, text }: { table: SQL; id: SQL; text: SQL },
): Promise<string[]> {
  const found = await rows<{ id: string; text: string }>(
    tx,
    sql`select ${id}::text as id, ${text} as text from ${table} where strpos(lower(${text}), ${plainPieceOf(customer)}) > 0`,
  );
  return found.filter((row) => mentions(row.text, customer)).map((row) => row.id);
}

const planText = sql`concat_ws(' ', why, send_why, (select string_agg(w.word, ' ') from jsonb_array_elements_text(args -> 'words') as w (word)))`;

/**
 * The plans of replays whose words go. One that was about this customer alone loses its reason. One about others too keeps it
 * where it surely does not name this customer: their names are known from what is about to be erased, and neither a part of them
 * nor an address or id of theirs stands in it. Where no body is left that tells their name, or a name has a word too short to look
 * for, it goes: a reason less is the smaller harm.
 */
async function plansToSilence(tx: Transaction, about: AboutCustomer): Promise<string[]> {
  const ids = texts(about.objectIds);
  const planned = await rows<{ id: string; text: string; others: boolean }>(
    tx,
    sql`select id::text as id, ${planText} as text,
          exists (select 1 from operations.replay_items i where i.plan_id = p.id and not i.object_id = any(${ids})) as others
        from operations.replay_plans p
        where exists (select 1 from operations.replay_items i where i.plan_id = p.id and i.object_id = any(${ids}))`,
  );
  const mayKeep = ({ text, others }: { text: string; others: boolean }): boolean =>
    others &&
    about.personWords.some(({ of }) => of === 'name') &&
    !mayName(text, about.personWords) &&
    !about.objectIds.some((id) => mentions(text, id));
  const silent = planned.filter((plan) => !mayKeep(plan)).map(({ id }) => id);
  const named = await naming(tx, about, { table: sql`operations.replay_plans`, id: sql`id`, text: planText });
  return [...new Set([...silent, ...named])];
}

/**
 * Erases what was typed about these objects (`effect:12`, `event:34`, and ids at Stripe), and wherever the customer's own
 * address was typed, as a whole and not as a part of a longer one. Only a person's wish to forget a customer does this; no clock
 * does, because whoever audits the books needs to know why somebody acted. Returns how many rows.
 */
export async function forgetWords(tx: Transaction, about: AboutCustomer): Promise<number> {
  const ids = texts(about.objectIds);
  const silent = await plansToSilence(tx, about);
  const plans = sql`${sql.param(silent)}::bigint[]`;
  const auditText = sql`object || ' ' || why`;
  const acting = await naming(tx, about, { table: sql`operations.audit`, id: sql`id`, text: auditText });
  const typed = await naming(tx, about, { table: sql`operations.replay_items`, id: sql`id`, text: sql`word` });
  const acts = await changed(
    tx,
    // What a replay did to a single effect is written down with the replay's own reason, whoever that effect is about.
    sql`update operations.audit set ${silenced}
        where action = any(${texts(ABOUT_PAYMENTS)}) and ${speaks}
          and (object = any(${texts(about.objects)})
            or id = any(${sql.param(acting)}::bigint[])
            or object in (select 'finding:' || id from reconciliation.findings where object_id = any(${ids}))
            or object in (select 'replay:' || p.id from unnest(${plans}) as p (id))
            or exists (select 1 from operations.replay_plans p join operations.replay_items i on i.plan_id = p.id
              where p.id = any(${plans}) and audit.object = 'effect:' || i.effect_id and audit.why in (p.why, p.send_why))
            or (action = 'replay.plan' and substring(detail from '^plan ([0-9]{1,18})')::bigint = any(${plans})))`,
  );
  const planned = await changed(
    tx,
    sql`update operations.replay_plans set ${planSilenced} where id = any(${plans}) and ${planSpeaks}`,
  );
  const items = await changed(
    tx,
    // A word that led nowhere stands in the place of the object too.
    sql`update operations.replay_items set word = ${ERASED},
          object_id = case when object_id ~ ${IDS_ONLY} then object_id else id::text || ${ERASED}::text end
        where (object_id = any(${ids}) or id = any(${sql.param(typed)}::bigint[])) and word !~ ${IDS_ONLY}`,
  );
  return acts + planned + items + (await forgetAcceptedWhys(tx, about.objectIds));
}
