import { changed, type Database, type Executor, rows } from '@bridge/database';
import type { Compared, Finding } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import { type SQL, sql } from 'drizzle-orm';
import { lockFindings } from './findings-lock';
import { type ClaimedRun, heldRun, RunClaimLostError } from './runs';

/**
 * What a page of a run led to, as its pass yielded it (`ReconcilePage` of `@bridge/flow` says what each field means), beside
 * the questions that it cost. Its `cursor` is JSON of the flow's own. Counts are of objects.
 */
export interface PageCommit {
  findings: readonly Finding[];
  compared: readonly Compared[];
  cursor: unknown;
  listed: number;
  checked: number;
  unasked: number;
  share: number;
  stripeCalls: number;
  filemakerFinds: number;
}

/** What storing a page has changed: findings that are new, and open ones that are right by now. */
export interface CommittedPage {
  opened: number;
  fixed: number;
  /** Inbox rows that were recorded for what was missed, and that want a job. */
  recorded: { id: string; eventId: string }[];
}

const texts = (values: readonly string[]): SQL => sql`${sql.param(values)}::text[]`;

interface Seen {
  id: string;
  class: string;
  object_id: string;
  is_new: boolean;
  acted: boolean;
}

const nameOf = (finding: Pick<Finding, 'class' | 'objectId'>): string => `${finding.class} ${finding.objectId}`;

/** One finding per class and object: a page that names one twice has seen the second state of it. */
const distinct = (findings: PageCommit['findings']): PageCommit['findings'] => [
  ...new Map(findings.map((finding) => [nameOf(finding), finding])).values(),
];

/** PostgreSQL's JSON takes neither U+0000 nor halves of surrogate pairs; one such text must not stop a whole page. */
const storable = (text: string | null): string | null => text?.replaceAll('\u0000', '\ufffd').toWellFormed() ?? null;

/**
 * What is accepted stays accepted as long as nothing about it changes. A pass that does not ask FileMaker says nothing about
 * its value, and so does not change it.
 */
async function storeFindings(tx: Executor, run: ClaimedRun, findings: PageCommit['findings']): Promise<Seen[]> {
  if (findings.length === 0) return [];
  const given = JSON.stringify(
    findings.map((finding) => ({
      class: finding.class,
      object_id: finding.objectId,
      stripe_value: storable(finding.stripeValue),
      recorded_value: storable(finding.recordedValue),
      filemaker_value: storable(finding.filemakerValue),
      amount: finding.amount,
      currency: finding.currency,
      message: storable(finding.message),
      replay: finding.replay,
      before_start: finding.beforeStart ?? false,
    })),
  );
  const isAccepted = sql`a.flow = ${run.flow} and a.state = 'accepted' and a.class = g.class and a.object_id = g.object_id
    and a.stripe_value is not distinct from g.stripe_value and a.recorded_value is not distinct from g.recorded_value
    and (a.filemaker_value is null or g.filemaker_value is null or a.filemaker_value = g.filemaker_value)
    and a.amount = g.amount and a.currency = g.currency`;
  // Another run may have looked before the replay recorded it, and writes its page only now.
  const isJustRepaired = sql`z.flow = ${run.flow} and z.class = g.class and z.object_id = g.object_id and z.state = 'fixed'
    and z.fixed_run is null and z.fixed_at > clock_timestamp() - interval '10 minutes'`;
  const asRows = sql`jsonb_to_recordset(${given}::jsonb) as g (class text, object_id text, stripe_value text, recorded_value text,
    filemaker_value text, amount bigint, currency text, message text, replay jsonb, before_start boolean)`;
  await changed(
    tx,
    sql`update reconciliation.findings a set last_seen = clock_timestamp(), last_run = ${run.id},
          filemaker_value = coalesce(g.filemaker_value, a.filemaker_value) from ${asRows} where ${isAccepted}`,
  );
  return rows<Seen>(
    tx,
    sql`insert into reconciliation.findings as f (flow, class, object_id, stripe_value, recorded_value, filemaker_value, amount,
          currency, message, replay, before_start, first_run, last_run)
        select ${run.flow}, g.class, g.object_id, g.stripe_value, g.recorded_value, g.filemaker_value, g.amount,
          g.currency, g.message, nullif(g.replay, 'null'::jsonb), g.before_start, ${run.id}::bigint, ${run.id}::bigint
        from ${asRows} where not exists (select 1 from reconciliation.findings a where ${isAccepted})
          and not exists (select 1 from reconciliation.findings z where ${isJustRepaired})
        on conflict (flow, class, object_id) where state = 'open' do update set
          stripe_value = excluded.stripe_value, recorded_value = excluded.recorded_value,
          filemaker_value = coalesce(excluded.filemaker_value, f.filemaker_value), amount = excluded.amount,
          currency = excluded.currency, message = excluded.message, replay = excluded.replay,
          before_start = excluded.before_start, last_seen = clock_timestamp(), last_run = excluded.last_run
        returning id, class, object_id, (xmax = 0) as is_new, acted_at is not null as acted`,
  );
}

/** Whatever was compared and not found again is right by now. */
async function closeFindings(tx: Executor, run: ClaimedRun, compared: readonly Compared[], seen: readonly Seen[]) {
  const open = sql`${sql.param(seen.map(({ id }) => id))}::bigint[]`;
  let fixed = 0;
  for (const { objectIds, classes, byPerson = [] } of compared) {
    if (objectIds.length === 0) continue;
    fixed += await changed(
      tx,
      sql`update reconciliation.findings set state = 'fixed', fixed_at = clock_timestamp(), fixed_run = ${run.id}::bigint,
            fixed_how = case when object_id = any(${texts(byPerson)}) then 'by a person'
              when acted_at is not null then 'replayed' else 'by itself' end
          where state = 'open' and flow = ${run.flow} and object_id = any(${texts(objectIds)})
            and class = any(${texts(classes)}) and not id = any(${open})`,
    );
  }
  return fixed;
}

/**
 * Records the events that the missed webhooks would have been. Each finding has one of its own, so that a payment that is
 * lost twice is found and repaired twice, and one that is found again while its event is on its way is not repeated.
 */
async function recordMissed(
  tx: Executor,
  inbox: Pick<Inbox, 'record'>,
  findings: PageCommit['findings'],
  seen: readonly Seen[],
): Promise<{ id: string; eventId: string }[]> {
  const byKey = new Map(findings.map((finding) => [nameOf(finding), finding]));
  const due = seen.flatMap((row) => {
    const finding = byKey.get(`${row.class} ${row.object_id}`);
    if (row.acted || finding === undefined || finding.replay === null) return [];
    return [{ findingId: row.id, objectId: finding.objectId, replay: finding.replay }];
  });
  if (due.length === 0) return [];
  const recorded = await inbox.record(
    due.map(({ findingId, objectId, replay }) => {
      const eventId = `${replay.eventId}.${findingId}`;
      const body = {
        id: eventId,
        object: 'event',
        type: replay.eventType,
        livemode: replay.livemode,
        data: { object: replay.object },
      };
      return {
        source: 'reconciliation',
        peer: 'bridge',
        eventId,
        eventType: replay.eventType,
        account: null,
        livemode: replay.livemode,
        apiVersion: null,
        objectId,
        eventCreatedAt: replay.createdAt,
        body: Buffer.from(JSON.stringify(body), 'utf8'),
        ignoredBecause: null,
      };
    }),
    tx,
  );
  await changed(
    tx,
    sql`update reconciliation.findings f set acted_at = clock_timestamp(), inbox_id = r.inbox_id
        from unnest(${sql.param(due.map(({ findingId }) => findingId))}::bigint[],
          ${sql.param(recorded.map(({ id }) => id))}::bigint[]) as r (id, inbox_id)
        where f.id = r.id`,
  );
  return recorded.map(({ id, eventId }) => ({ id, eventId }));
}

/**
 * A page's findings, the events for what was missed, the counters and the cursor, all together or not at all. Throws
 * RunClaimLostError.
 */
export function commitPage(
  database: Database,
  inbox: Pick<Inbox, 'record'>,
  run: ClaimedRun,
  page: PageCommit,
): Promise<CommittedPage> {
  return database.transaction(async (tx) => {
    await lockFindings(tx);
    const findings = distinct(page.findings);
    const seen = await storeFindings(tx, run, findings);
    const fixed = await closeFindings(tx, run, page.compared, seen);
    const recorded = run.mode === 'act' ? await recordMissed(tx, inbox, findings, seen) : [];
    const opened = seen.filter((row) => row.is_new).length;
    const count = await changed(
      tx,
      sql`update reconciliation.runs set cursor = ${JSON.stringify(page.cursor ?? null)}::jsonb, share = ${page.share},
            listed = listed + ${page.listed}, checked = checked + ${page.checked}, unasked = unasked + ${page.unasked},
            pages = pages + 1, found = found + ${seen.length}, opened = opened + ${opened}, fixed = fixed + ${fixed},
            acted = acted + ${recorded.length}, stripe_calls = stripe_calls + ${page.stripeCalls},
            filemaker_finds = filemaker_finds + ${page.filemakerFinds}, failures = 0, moved_at = clock_timestamp()
          where ${heldRun(run)}`,
    );
    if (count !== 1) throw new RunClaimLostError(run.id);
    return { opened, fixed, recorded };
  });
}
