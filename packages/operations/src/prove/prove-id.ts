import { type Database, type Executor, oneRow, rows } from '@bridge/database';
import { type AttemptSummary, createEffectStore } from '@bridge/effects';
import type { RecordedFact } from '@bridge/flow';
import { sql } from 'drizzle-orm';
import { type AuditRow, listAudit } from '../audit/audit';
import { isDay } from '../days/calendar';
import { readDay } from '../days/day-store';
import type { RecordingFlow } from '../days/gather-day';
import { ownKey } from '../days/standing';
import {
  hasTable,
  type ProofEffect,
  type ProofEvent,
  readEffectOfAttempt,
  readEffectsOfSession,
  readProofEffects,
  readProofEvents,
  readWorkerRow,
} from '../tables/read-proof-tables';
import type { NoProof, Proof } from './proof';
import { type ProofFinding, readProofFindings } from './read-findings';
import { entriesOfEffect, entriesOfEvent, entriesOfFact, entriesOfFinding, entryOfAct, sortEntries } from './timeline';
import { verdictOf, verdictOfEffect, verdictOfEvent } from './verdict-of';

/** Whose records are looked at, and in which zone times are written. `now` is for tests. */
export interface ProveOptions {
  database: Database;
  flows: readonly RecordingFlow[];
  /** Zone of the times in sentences. */
  timeZone: string;
  now?: () => Date;
}

const LOOKED = [
  'payments, invoices, refunds and disputes in our records',
  'effects, their keys, jobs and attempts',
  'events of the inbox and what they are about',
  'findings of reconciliation',
  'FileMaker sessions that carried an effect',
  'processes, runs, replay plans and closed days',
];

const KINDS: readonly [RegExp, string][] = [
  [/^cs_/, 'a Checkout Session'],
  [/^pi_/, 'a PaymentIntent'],
  [/^(ch|py)_/, 'a charge'],
  [/^(re|pyr)_/, 'a refund'],
  [/^(dp|du)_/, 'a dispute'],
];

/** What an id was found to stand for, before its surroundings are read. */
interface Found {
  meaning: string;
  facts?: RecordedFact[];
  effects?: ProofEffect[];
  events?: ProofEvent[];
  findings?: ProofFinding[];
}

/** `12`, and jobs of rows: `12.3`, `inbox-34.1`, `replay-5.0`. */
const NUMBER = /^\d{1,18}$/;
const withoutRun = (id: string): string => id.replace(/^(.+)\.\d+$/, '$1');

async function findFacts(executor: Executor, flows: readonly RecordingFlow[], id: string): Promise<RecordedFact[]> {
  const found: RecordedFact[] = [];
  for (const { records } of flows) found.push(...(await records.find(executor, id)));
  return found;
}

const ofFacts =
  (executor: Executor, flows: readonly RecordingFlow[]) =>
  async (id: string): Promise<Found | undefined> => {
    const facts = await findFacts(executor, flows, id);
    if (facts.length === 0) return undefined;
    return { meaning: KINDS.find(([form]) => form.test(id))?.[1] ?? 'an invoice number', facts };
  };

const ofEffects =
  (executor: Executor) =>
  async (id: string): Promise<Found | undefined> => {
    const plain = withoutRun(id);
    const effects = await readProofEffects(executor, NUMBER.test(plain) ? { ids: [plain] } : { keys: [id] });
    return effects.length === 0
      ? undefined
      : { meaning: NUMBER.test(plain) ? 'the number of an effect' : 'the key of an effect', effects };
  };

const ofEvents =
  (executor: Executor) =>
  async (id: string): Promise<Found | undefined> => {
    if (NUMBER.test(id)) {
      const events = await readProofEvents(executor, { ids: [id] });
      return events.length === 0 ? undefined : { meaning: 'the number of an inbox row', events };
    }
    const row = /^inbox-(\d{1,18})(?:\.\d+)?$/.exec(id)?.[1];
    const events = await readProofEvents(
      executor,
      row === undefined ? { eventIds: [id, withoutRun(id)], objectIds: [id] } : { ids: [row] },
    );
    if (events.length === 0) return undefined;
    const about = events.every(({ objectId }) => objectId === id);
    return {
      meaning: about ? 'what events of the inbox are about; no payment is recorded for it' : 'an event',
      events,
    };
  };

const ofFindings =
  (executor: Executor) =>
  async (id: string): Promise<Found | undefined> => {
    const findings = await readProofFindings(executor, NUMBER.test(id) ? { ids: [id] } : { objectIds: [id] });
    return findings.length === 0 ? undefined : { meaning: 'the number of a finding', findings };
  };

/** Only by its full reference, or named as one: a bare number means too much already. */
const ofSession =
  (executor: Executor) =>
  async (id: string): Promise<Found | undefined> => {
    const ids = await readEffectsOfSession(executor, id);
    if (ids.length === 0) return undefined;
    const effects = await readProofEffects(executor, { ids });
    return {
      meaning: `a FileMaker session, which carried ${effects.length === 1 ? 'this effect' : 'these effects, the latest 20 at most'}`,
      effects,
    };
  };

/** Only when it is named as one: attempts have numbers of their own. */
const ofAttempt =
  (executor: Executor) =>
  async (id: string): Promise<Found | undefined> => {
    if (!NUMBER.test(id)) return undefined;
    const effectId = await readEffectOfAttempt(executor, id);
    if (effectId === undefined) return undefined;
    return { meaning: 'the number of an attempt', effects: await readProofEffects(executor, { ids: [effectId] }) };
  };

/** Words that say which of several meanings is wanted: `effect:12`, `event:34`. */
async function findMeaning(
  { database: { executor }, flows }: ProveOptions,
  id: string,
): Promise<{ found: Found | undefined; also: string[] }> {
  const [, word, named] = /^(attempt|effect|event|finding|invoice|session):(.+)$/.exec(id) ?? [];
  const finders = {
    invoice: ofFacts(executor, flows),
    effect: ofEffects(executor),
    event: ofEvents(executor),
    finding: ofFindings(executor),
    session: ofSession(executor),
    attempt: ofAttempt(executor),
  };
  if (word !== undefined && named !== undefined && word in finders)
    return { found: await finders[word as keyof typeof finders](named), also: [] };
  const order = /^\d+\/\d+$/.test(id) ? (['session'] as const) : (['invoice', 'effect', 'event', 'finding'] as const);
  let first: Found | undefined;
  const also: string[] = [];
  for (const kind of order) {
    // Only a number means several things at once.
    if (first !== undefined && !NUMBER.test(id)) break;
    const found = await finders[kind](id);
    if (found === undefined) continue;
    if (first === undefined) first = found;
    else also.push(`./bridge prove ${kind}:${id}`);
  }
  if (first !== undefined && NUMBER.test(id)) {
    if (await rowExists(executor, 'operations.replay_plans', id)) also.push(`./bridge prove plan:${id}`);
    if (await rowExists(executor, 'reconciliation.runs', id)) also.push(`./bridge prove run:${id}`);
  }
  return { found: first, also };
}

/** Shows a plan as it stands; `--plan` would send it. */
const lookAtReplay = (planId: string): string => `./bridge replay --resume ${planId}`;

/** What hangs on no payment: named, so that nobody looks further. */
async function whatElse(
  { database: { executor } }: ProveOptions,
  id: string,
): Promise<{ meaning: string; next: string } | undefined> {
  const worker = await readWorkerRow(executor, id);
  if (worker !== undefined) {
    const { app, host, pid, alive } = worker;
    return {
      meaning: `a process: ${app} ${host}:${pid}, ${alive ? 'alive' : 'not running any more'}`,
      next: './bridge status',
    };
  }
  if (isDay(id))
    return (await readDay(executor, id)) === undefined
      ? { meaning: 'a day that is not closed', next: './bridge report' }
      : { meaning: 'a day that is closed', next: `./bridge close ${id}` };
  const plan = /^(?:replay-|plan:|replay:)(\d{1,18})(?:\.\d+)?$/.exec(id)?.[1];
  if (plan !== undefined && (await rowExists(executor, 'operations.replay_plans', plan)))
    return { meaning: 'a replay plan', next: lookAtReplay(plan) };
  const run = /^(?:run:|run-|reconcile-)(\d{1,18})(?:\.\d+)?$/.exec(id)?.[1];
  if (run !== undefined && (await rowExists(executor, 'reconciliation.runs', run)))
    return { meaning: 'a run of reconciliation', next: './bridge findings list' };
  if (NUMBER.test(id)) {
    if (await rowExists(executor, 'operations.replay_plans', id))
      return { meaning: 'a replay plan', next: lookAtReplay(id) };
    if (await rowExists(executor, 'reconciliation.runs', id))
      return { meaning: 'a run of reconciliation', next: './bridge findings list' };
  }
  return undefined;
}

async function rowExists(
  executor: Executor,
  table: 'operations.replay_plans' | 'reconciliation.runs',
  id: string,
): Promise<boolean> {
  if (!(await hasTable(executor, table))) return false;
  const row = await oneRow<{ id: string }>(executor, sql`select id from ${sql.raw(table)} where id = ${id}`);
  return row !== undefined;
}

/** Two payments of one invoice bear one title: then each says which Checkout Session it is. */
function distinctTitles(facts: readonly RecordedFact[]): RecordedFact[] {
  const isShared = ({ id, title }: RecordedFact): boolean =>
    facts.some((other) => other.id !== id && other.title === title);
  return facts.map((fact) => (isShared(fact) ? { ...fact, title: `${fact.title} (${fact.id})` } : fact));
}

/** The payments that what was found belongs to. */
async function surroundingFacts(
  executor: Executor,
  flows: readonly RecordingFlow[],
  found: Found,
): Promise<RecordedFact[]> {
  const ids = new Set<string>();
  for (const { subject } of found.effects ?? []) {
    if (typeof subject.checkoutSessionId === 'string') ids.add(subject.checkoutSessionId);
  }
  for (const { objectId } of [...(found.events ?? []), ...(found.findings ?? [])])
    if (objectId !== null) ids.add(objectId);
  const facts = new Map((found.facts ?? []).map((fact) => [fact.id, fact]));
  for (const id of ids) for (const fact of await findFacts(executor, flows, id)) facts.set(fact.id, fact);
  return distinctTitles([...facts.values()]);
}

const unique = <Row extends { id: string }>(...lists: readonly (readonly Row[])[]): Row[] => [
  ...new Map(lists.flat().map((row) => [row.id, row])).values(),
];

async function readActs(database: Database, objects: readonly string[]): Promise<AuditRow[]> {
  const acts: AuditRow[] = [];
  for (const object of objects) acts.push(...(await listAudit(database, { object, limit: 100 })));
  return acts;
}

/** Plans that looked at a payment; a person's replay is part of its story. */
async function readReplayActs(database: Database, objectIds: readonly string[]): Promise<string[]> {
  if (!(await hasTable(database.executor, 'operations.replay_items'))) return [];
  const found = await rows<{ plan_id: string }>(
    database.executor,
    sql`select distinct plan_id from operations.replay_items where object_id = any(${sql.param([...objectIds])}::text[]) limit 50`,
  );
  return found.map(({ plan_id }) => `replay:${plan_id}`);
}

/**
 * Everything that is known about an id that a log line, a screen or Stripe shows: what became of its money, and how, in
 * one line of time. Reads PostgreSQL alone.
 */
export async function proveId(options: ProveOptions, asked: string): Promise<Proof | NoProof> {
  const { database, flows, timeZone } = options;
  const { executor } = database;
  const id = asked.trim();
  const { found, also } = await findMeaning(options, id);
  if (found === undefined) {
    const other = await whatElse(options, id);
    return { found: false, id, looked: LOOKED, meaning: other?.meaning ?? null, next: other?.next ?? null };
  }
  const facts = await surroundingFacts(executor, flows, found);
  const factIds = facts.flatMap((fact) => [fact.id, ...fact.relatedIds]);
  const events = unique(
    found.events ?? [],
    await readProofEvents(executor, {
      objectIds: factIds,
      eventIds: facts.map(({ parkedEvent }) => parkedEvent).filter((event) => event !== null),
    }),
  );
  const effects = unique(
    found.effects ?? [],
    await readProofEffects(executor, { keys: facts.flatMap(({ effectKeys }) => effectKeys) }),
  );
  const findings = unique(found.findings ?? [], await readProofFindings(executor, { objectIds: factIds }));
  const store = createEffectStore(database);
  const attempts = new Map<string, AttemptSummary[]>();
  for (const effect of effects) attempts.set(effect.id, await store.attemptsOf(effect.id));
  const acts = await readActs(database, [
    ...effects.map((effect) => `effect:${effect.id}`),
    ...events.map((event) => `event:${event.id}`),
    ...findings.map((finding) => `finding:${finding.id}`),
    ...(await readReplayActs(database, factIds)),
  ]);
  const now = options.now?.() ?? new Date();
  const ofFact = facts.map((fact) => {
    const effect = effects.find(({ key }) => key === ownKey(fact));
    return verdictOf({
      fact,
      effect,
      attempts: attempts.get(effect?.id ?? '') ?? [],
      parkedEvent: events.find(({ eventId, state }) => eventId === fact.parkedEvent && state === 'parked'),
      timeZone,
      now,
    });
  });
  const own = new Set(facts.map(ownKey));
  const verdicts = [
    ...ofFact,
    ...(found.effects ?? []).filter(({ key }) => !own.has(key)).map(verdictOfEffect),
    ...(facts.length === 0 ? (found.events ?? []).map(verdictOfEvent) : []),
    ...(facts.length === 0 ? (found.findings ?? []).map(verdictOfFinding) : []),
  ];
  const timeline = sortEntries([
    ...facts.flatMap(entriesOfFact),
    ...events.flatMap(entriesOfEvent),
    ...effects.flatMap((effect) => entriesOfEffect(effect, attempts.get(effect.id) ?? [], effects.length > 1)),
    ...findings.flatMap(entriesOfFinding),
    ...acts.map(entryOfAct),
  ]);
  return { found: true, id, meaning: found.meaning, at: now, timeZone, verdicts, timeline, also };
}

function verdictOfFinding(finding: ProofFinding): Proof['verdicts'][number] {
  const open = finding.state === 'open';
  const next = open ? `./bridge findings show ${finding.id}` : null;
  return {
    id: finding.objectId,
    standing: open ? 'parked' : 'nothing-owed',
    next,
    sentence: `Finding ${finding.id} (${finding.class}) about ${finding.objectId}: ${finding.message}, ${finding.state}${next === null ? '.' : `, next: ${next}`}`,
  };
}
