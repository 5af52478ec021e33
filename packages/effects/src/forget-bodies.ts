import { changed, type Database, type Executor, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EffectState } from './effect';

/** Ids by which an effect's subject may name what it is about. */
const ID_FIELDS = ['checkoutSessionId', 'paymentIntentId', 'chargeId', 'refundId', 'disputeId'] as const;

/** What stays of a result: who decided, since that person's word stands against the peer's books. Not why: it is free text. */
const keptOfResult = sql`case when result ? 'resolvedBy' then jsonb_build_object('resolvedBy', result -> 'resolvedBy') end`;
/** Whether a row still has its body or the peer's answer. */
const holdsBody = sql`(body is not null or result is distinct from ${keptOfResult})`;
/** Assignments that erase both. The body's SHA-256 stays, and who decided where a person did. */
const erasing = sql`body = null, result = ${keptOfResult},
  body_sha256 = case when body is null then body_sha256 else sha256(body) end`;

/** An effect about a customer who wants to be forgotten. */
export interface TracedEffect {
  id: string;
  title: string;
  state: EffectState;
  /** The Checkout Session that it is about. */
  checkoutSessionId: string | null;
  /** Its body or the peer's answer is still there. */
  holdsBody: boolean;
  /** Body and the peer's answer as text, as far as they are there. */
  documents: string[];
  /** It is about one of the objects, or has one of the needles in its body. False: it only has the piece in it. */
  named: boolean;
}

/**
 * One page of effects behind `after`: those about one of these objects, or with one of these needles in their body (see
 * `needleOf` of the inbox), and the last row that was looked at. Reads every body: seldom used.
 */
export async function traceEffects(
  database: Database,
  traces: {
    needles: readonly string[];
    objectIds: readonly string[];
    /** In small letters: rows with it anywhere in their body or answer are told too, as not `named`. */
    piece?: string;
  },
  page: { after: string; limit: number },
): Promise<{ found: TracedEffect[]; last?: string }> {
  const piece = traces.piece ?? '';
  const row = await oneRow<{
    last: string | null;
    found: (Omit<TracedEffect, 'documents'> & { body: string | null; answer: string | null })[] | null;
  }>(
    database.executor,
    sql`with page as (
          select id, title, state, subject, body, result, lower(encode(body, 'escape')) as words from effects.effects
          where id > ${page.after}::bigint order by id limit ${page.limit}),
        judged as (
          select *, exists (select 1 from unnest(${sql.param(ID_FIELDS)}::text[]) as f (field)
                where subject ->> f.field = any(${sql.param(traces.objectIds)}::text[]))
             or exists (select 1 from unnest(${sql.param(traces.needles)}::text[]) as t (needle)
                where strpos(words, t.needle) > 0) as named
          from page)
        select (select max(id)::text from page) as last,
          (select json_agg(json_build_object('id', id::text, 'title', title, 'state', state, 'named', named,
              'checkoutSessionId', subject ->> 'checkoutSessionId', 'holdsBody', ${holdsBody},
              'body', encode(body, 'base64'), 'answer', result::text) order by id)
           from judged
           where named or (${piece} <> '' and strpos(concat(words, ' ', lower(result::text)), ${piece}) > 0)) as found`,
  );
  const last = row?.last ?? undefined;
  return {
    found: (row?.found ?? []).map(({ body, answer, ...rest }) => ({
      ...rest,
      documents: [
        ...(body === null ? [] : [Buffer.from(body, 'base64').toString('utf8')]),
        ...(answer === null ? [] : [answer]),
      ],
    })),
    ...(last === undefined ? {} : { last }),
  };
}

/**
 * Erases the bodies and the peer's answers of these effects, as far as they are settled. The SHA-256 stays, and who decided
 * where a person did. Returns how many.
 */
export async function forgetEffects(tx: Executor, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  return changed(
    tx,
    sql`update effects.effects set ${erasing}
        where id = any(${sql.param(ids)}::bigint[]) and state in ('done', 'cancelled') and ${holdsBody}`,
  );
}

/** Of `EffectStore`: one batch of the nightly erasing. */
export async function eraseBodies(
  { executor }: Database,
  { before, after, limit }: { before: Date; after: string; limit: number },
): Promise<{ erased: number; last?: string }> {
  const row = await oneRow<{ erased: number; last: string | null }>(
    executor,
    sql`with looked as (
              select id from effects.effects
              where id > ${after}::bigint and planned_at < ${before.toISOString()}::timestamptz order by id limit ${limit}),
            erased as (
              update effects.effects e set ${erasing} from looked
              where e.id = looked.id and ${holdsBody} and e.state in ('done', 'cancelled')
                and e.settled_at < ${before.toISOString()}::timestamptz
              returning 1)
            select (select count(*)::int from erased) as erased, (select max(id)::text from looked) as last`,
  );
  const last = row?.last ?? undefined;
  return { erased: row?.erased ?? 0, ...(last === undefined ? {} : { last }) };
}
