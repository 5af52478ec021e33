import type { Database } from '@bridge/database';
import type { BoundFlow, ReplayEvent } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';
import { addReplayItems, addUnfoundWord, markCollected, type ReplayPlan } from '@bridge/operations';
import { StripeCallError, type StripeObject } from '@bridge/stripe-client';
import { z } from 'zod';

export interface CollectOptions {
  database: Database;
  inbox: Pick<Inbox, 'find'>;
  flows: readonly BoundFlow[];
  retrieveEvent(eventId: string): Promise<StripeObject>;
  /** The event that a finding would replay; undefined: there is no such finding. Null: none can be replayed for it. */
  findingEvent(findingId: string): Promise<ReplayEvent | null | undefined>;
  /** The slice ends at the next place at which it can go on. Monotonic. */
  hasTime(): boolean;
}

/** Where the collecting goes on: the next word, then the time range of one flow after the other. */
const cursorSchema = z.object({ word: z.int(), flow: z.int(), page: z.unknown().optional() });
type Cursor = z.output<typeof cursorSchema>;
const BEGINNING: Cursor = { word: 0, flow: 0, page: undefined };

const stripeEvent = z.looseObject({
  type: z.string(),
  livemode: z.boolean(),
  created: z.int().nullish(),
  data: z.looseObject({ object: z.looseObject({ id: z.string(), object: z.string().optional() }) }),
});

type Named = { kind: 'found'; events: readonly ReplayEvent[] } | { kind: 'not-found'; reason: string };
const notFound = (reason: string): Named => ({ kind: 'not-found', reason });

/** What a word names: an event, a finding, or whatever a flow understands by it. Asks Stripe. */
async function named(word: string, options: CollectOptions): Promise<Named> {
  if (/^evt_/.test(word)) return namedEvent(word, options);
  const finding = /^finding:(\d{1,18})$/.exec(word)?.[1];
  if (finding !== undefined) {
    const event = await options.findingEvent(finding);
    if (event === undefined) return notFound('There is no such finding');
    return event === null
      ? notFound('This finding has nothing that could be replayed')
      : { kind: 'found', events: [event] };
  }
  for (const { replay } of options.flows) {
    const events = await replay?.find(word, { records: options.database.executor });
    if (events === undefined) continue;
    return events.length === 0 ? notFound('Neither our records nor Stripe know it') : { kind: 'found', events };
  }
  return notFound('No flow that is on knows ids of this kind');
}

async function namedEvent(eventId: string, { inbox, retrieveEvent }: CollectOptions): Promise<Named> {
  const ours = await inbox.find(eventId);
  if (ours?.objectId != null) {
    const { objectId, eventType, livemode } = ours;
    return {
      kind: 'found',
      events: [{ objectId, eventType, object: { id: objectId }, livemode, createdAt: null }],
    };
  }
  let told: StripeObject;
  try {
    told = await retrieveEvent(eventId);
  } catch (error) {
    // Stripe keeps events for 30 days.
    if (error instanceof StripeCallError && error.code === 'STRIPE_NOT_FOUND')
      return notFound('Neither our inbox nor Stripe has this event');
    throw error;
  }
  const read = stripeEvent.safeParse(told);
  if (!read.success) return notFound('Stripe has this event, and it is about nothing that can be replayed');
  const { type, livemode, created, data } = read.data;
  const { id, object } = data.object;
  return {
    kind: 'found',
    events: [
      {
        objectId: id,
        eventType: type,
        object: { id, ...(object === undefined ? {} : { object }) },
        livemode,
        createdAt: created == null ? null : new Date(created * 1_000),
      },
    ],
  };
}

/**
 * Writes down which payments a plan is about, page by page with the place where it goes on. True: all of them stand.
 * Throws the peers' own errors; the next call goes on behind the last page.
 */
export async function collectPayments(plan: ReplayPlan, options: CollectOptions): Promise<boolean> {
  const { database, flows } = options;
  const { words, since, until } = plan.args;
  const read = cursorSchema.safeParse(plan.cursor);
  const cursor = read.success ? { ...read.data } : { ...BEGINNING };
  const store = async (items: { word: string; event: ReplayEvent }[]): Promise<void> =>
    addReplayItems(database, plan.id, { items, cursor });

  while (cursor.word < words.length) {
    const word = words[cursor.word] ?? '';
    const found = await named(word, options);
    if (found.kind === 'not-found') await addUnfoundWord(database.executor, plan.id, word, found.reason);
    cursor.word += 1;
    await store(found.kind === 'found' ? found.events.map((event) => ({ word, event })) : []);
    if (!options.hasTime()) return false;
  }
  if (since !== undefined && until !== undefined) {
    const window = { since: new Date(since), until: new Date(until) };
    for (; cursor.flow < flows.length; cursor.flow += 1, cursor.page = undefined) {
      const replay = flows[cursor.flow]?.replay;
      if (replay === undefined) continue;
      const pages = replay.succeededBetween(window, { records: database.executor, cursor: cursor.page });
      for await (const page of pages) {
        cursor.page = page.cursor;
        await store(page.events.map((event) => ({ word: `${since}/${until}`, event })));
        if (!options.hasTime()) return false;
      }
    }
  }
  await markCollected(database.executor, plan.id);
  return true;
}
