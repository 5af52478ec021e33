import { createHash } from 'node:crypto';
import { changed, type Database, type Executor } from '@bridge/database';
import { forgetEffects, type TracedEffect, traceEffects } from '@bridge/effects';
import { forgetEvents, needleOf, type TracedEvent, traceEvents } from '@bridge/inbox';
import { sql } from 'drizzle-orm';
import { auditedTransaction } from '../audit/audit';
import type { Asked } from '../resolve/resolve-effect';
import { forgetWords } from './forget-words';
import { documentMentions, type PersonWord, personWordsIn, plainPieceOf } from './mentions';

/** What is known of a customer. Ids and counts only. */
export interface ForgetPlan {
  /** Stands for the customer in the audit table; says nothing about them. */
  customer: string;
  /** Checkout Sessions, PaymentIntents, charges, refunds and disputes of theirs. They stay, as do amounts. */
  objectIds: string[];
  /** Bodies that would be erased. */
  events: string[];
  effects: string[];
  /** What people have acted on, as the audit table names it. */
  actedOn: string[];
  /** Why not now: what waits for a person or is on its way still needs what it holds. */
  unsettled: { kind: 'event' | 'effect'; id: string; title: string }[];
}

/** How many rows were erased, or why none was. `shown`: payloads that a replay had shown. */
export type Forgetting =
  | { kind: 'forgotten'; customer: string; events: number; effects: number; shown: number }
  | { kind: 'refused'; code: 'CUSTOMER_NOT_FOUND' | 'CUSTOMER_UNSETTLED' | 'CUSTOMER_UNFIT'; reason: string };

const PAGE = 1_000;
const PAGES_MAX = 100_000;
/** One customer does not have more; a word that fits everything is no customer. */
const OBJECTS_MAX = 2_000;
/** Rounds from one object to the next: customer, Session, payment, refund. */
const ROUNDS_MAX = 4;
const PAYMENT_ID = /^(cs|pi|ch|py|re|pyr|dp|du)_[A-Za-z0-9_]{4,250}$/;
const CUSTOMER = /^(cus_[A-Za-z0-9]{4,250}|cs_[A-Za-z0-9_]{4,250}|[^\s@"]{1,250}@[^\s@"]{1,250})$/;
const EVENT_DONE: ReadonlySet<string> = new Set(['processed', 'ignored']);
const EFFECT_DONE: ReadonlySet<string> = new Set(['done', 'cancelled']);

export interface ForgetOptions {
  /** Other ids of a payment, from the flows' records. */
  relatedIds(id: string): Promise<string[]>;
}

/** A short digest: an audit row must not keep what it says was forgotten. */
const standInFor = (customer: string): string =>
  `customer:${createHash('sha256').update(customer.toLowerCase()).digest('hex').slice(0, 16)}`;

/** `cus_…`, an e-mail address, or the id of a Checkout Session. */
export const isCustomer = (text: string): boolean => CUSTOMER.test(text);

/** Ids of payments among the strings of a body, at any depth. */
function idsIn(body: Buffer): string[] {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      if (PAYMENT_ID.test(value)) found.add(value);
    } else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) visit(part);
  };
  try {
    visit(JSON.parse(body.toString('utf8')));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return [...found];
}

async function paged<Found>(
  read: (page: { after: string; limit: number }) => Promise<{ found: Found[]; last?: string }>,
): Promise<Found[]> {
  const all: Found[] = [];
  let after = '0';
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { found, last } = await read({ after, limit: PAGE });
    all.push(...found);
    if (last === undefined) break;
    after = last;
  }
  return all;
}

/** Everything that leads from the customer to our rows: from bodies to ids, from ids to further bodies, until nothing is new. */
async function trace(
  database: Database,
  customer: string,
  { relatedIds }: ForgetOptions,
): Promise<{ objectIds: Set<string>; events: TracedEvent[]; effects: TracedEffect[]; personWords: PersonWord[] }> {
  const piece = customer.includes('@') ? plainPieceOf(customer) : '';
  const isTheirs = (named: boolean, documents: readonly string[]): boolean =>
    named || documents.some((document) => documentMentions(document, customer));
  const objectIds = new Set<string>(PAYMENT_ID.test(customer) ? [customer] : []);
  let [events, effects]: [TracedEvent[], TracedEffect[]] = [[], []];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = objectIds.size;
    for (const id of [...objectIds])
      for (const related of await relatedIds(id)) if (PAYMENT_ID.test(related)) objectIds.add(related);
    const ids = [...objectIds];
    const texts = [customer, ...ids];
    events = await paged(async (page) => {
      const { found, ...rest } = await traceEvents(database, { texts, objectIds: ids, piece }, page);
      return {
        found: found.filter(({ named, body }) => isTheirs(named, body === null ? [] : [textOf(body)])),
        ...rest,
      };
    });
    effects = await paged(async (page) => {
      const needles = texts.map(needleOf);
      const { found, ...rest } = await traceEffects(database, { needles, objectIds: ids, piece }, page);
      return { found: found.filter(({ named, documents }) => isTheirs(named, documents)), ...rest };
    });
    // A body that only mentions the address in a sentence may be about somebody else's payment: it goes, and leads no further.
    const own = { events: events.filter(({ named }) => named), effects: effects.filter(({ named }) => named) };
    for (const { body } of own.events) if (body !== null) for (const id of idsIn(body)) objectIds.add(id);
    for (const { checkoutSessionId } of own.effects) if (checkoutSessionId !== null) objectIds.add(checkoutSessionId);
    if (objectIds.size === before || objectIds.size > OBJECTS_MAX) break;
  }
  const documents = [
    ...events.flatMap(({ named, body }) => (named && body !== null ? [textOf(body)] : [])),
    ...effects.flatMap(({ named, documents: own }) => (named ? own : [])),
  ];
  return { objectIds, events, effects, personWords: distinct(documents.flatMap(personWordsIn)) };
}

const distinct = (words: readonly PersonWord[]): PersonWord[] => [
  ...new Map(words.map((word) => [`${word.of} ${word.word}`, word])).values(),
];

const textOf = (body: Buffer): string => body.toString('utf8');

/** What forgetting would erase. Changes nothing. */
export async function planForgetting(
  database: Database,
  customer: string,
  options: ForgetOptions,
): Promise<ForgetPlan> {
  const { personWords: _words, ...plan } = await planWithWords(database, customer, options);
  return plan;
}

async function planWithWords(
  database: Database,
  customer: string,
  options: ForgetOptions,
): Promise<ForgetPlan & { personWords: readonly PersonWord[] }> {
  const { objectIds, events, effects, personWords } = await trace(database, customer, options);
  return {
    personWords,
    customer: standInFor(customer),
    objectIds: [...objectIds].sort(),
    events: events.filter(({ body, state }) => body !== null && EVENT_DONE.has(state)).map(({ id }) => id),
    effects: effects.filter(({ holdsBody, state }) => holdsBody && EFFECT_DONE.has(state)).map(({ id }) => id),
    actedOn: [...events.map(({ id }) => `event:${id}`), ...effects.map(({ id }) => `effect:${id}`)],
    unsettled: [
      ...events
        .filter(({ state }) => !EVENT_DONE.has(state))
        .map(({ id, eventId, state }) => ({ kind: 'event' as const, id, title: `Event ${eventId} is ${state}` })),
      ...effects
        .filter(({ state }) => !EFFECT_DONE.has(state))
        .map(({ id, title, state }) => ({ kind: 'effect' as const, id, title: `${title}: ${state}` })),
    ],
  };
}

/** What a person was shown of these payments before a replay. */
async function forgetShown(tx: Executor, objectIds: readonly string[]): Promise<number> {
  return changed(
    tx,
    sql`update operations.replay_items set bodies = null
        where object_id = any(${sql.param(objectIds)}::text[]) and bodies is not null`,
  );
}

/**
 * Erases what names a customer: bodies of events, the bytes that were sent, FileMaker's answers, and what people typed about
 * their payments. Ids and amounts stay, since the books need them. Nothing is erased while something of theirs is not settled. The audit row does not repeat who it was.
 */
export async function forgetCustomer(
  database: Database,
  customer: string,
  { by, why, ...options }: Asked & ForgetOptions,
): Promise<Forgetting> {
  const { personWords, ...plan } = await planWithWords(database, customer, options);
  return auditedTransaction<Forgetting>(
    database,
    { who: by, action: 'customer.forget', object: plan.customer, why },
    async (tx) => {
      if (plan.objectIds.length > OBJECTS_MAX) {
        return {
          kind: 'refused',
          code: 'CUSTOMER_UNFIT',
          reason: 'This fits so many payments that it is no customer.',
        };
      }
      if (plan.unsettled.length > 0) {
        return {
          kind: 'refused',
          code: 'CUSTOMER_UNSETTLED',
          reason: `${plan.unsettled.length} of theirs ${plan.unsettled.length === 1 ? 'is' : 'are'} not settled; settle first, then forget.`,
        };
      }
      const events = await forgetEvents(tx, plan.events);
      const effects = await forgetEffects(tx, plan.effects);
      const shown = await forgetShown(tx, plan.objectIds);
      const words = await forgetWords(tx, {
        customer,
        personWords,
        objects: plan.actedOn,
        objectIds: plan.objectIds,
      });
      if (plan.objectIds.length === 0 && events + effects + words === 0)
        return {
          kind: 'refused',
          code: 'CUSTOMER_NOT_FOUND',
          reason:
            'Nothing here is known of this customer. A payment whose bodies are erased already (INBOX_BODY_DAYS) is known by its ids alone: name its Checkout Session, cs_….',
        };
      return { kind: 'forgotten', customer: plan.customer, events, effects, shown };
    },
    (value) =>
      value.kind === 'forgotten'
        ? { outcome: 'done', detail: `${value.events} events, ${value.effects} effects` }
        : { outcome: 'refused', detail: value.code },
  );
}
