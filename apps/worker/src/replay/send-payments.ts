import type { Database } from '@bridge/database';
import type { EffectStore } from '@bridge/effects';
import type { Inbox } from '@bridge/inbox';
import { effectJob, eventJob, type NewJob } from '@bridge/jobs';
import {
  finishReplay,
  isReplayEvent,
  itemsToSend,
  itemsUnderWay,
  judgeOutcome,
  type LogWord,
  type ReplayPlan,
  type ReplayWork,
  readFrozenEffects,
  retryEvent,
  type SentItem,
  sendReplayItem,
  settleItem,
} from '@bridge/operations';

export interface SendOptions {
  database: Database;
  inbox: Inbox;
  effects: Pick<EffectStore, 'replan'>;
  /** Jobs at once; should this fail, the sweep makes them a second later. Must not reject. */
  enqueue(jobs: readonly NewJob[]): Promise<void>;
  /** Payments of replays that may be under way at a time: fewer than FileMaker sessions, so that live ones find one. */
  underWayMax: number;
  performs: boolean;
  /** FileMaker is closed: what is only a change of our books goes on. */
  booksOnly?: boolean;
  /** What FileMaker's log says of keys. */
  askLog(questions: readonly { key: string; target: unknown }[]): Promise<ReadonlyMap<string, LogWord>>;
  /** All ids by which Stripe's events speak of a payment: its Session's, its PaymentIntent's, its charge's. */
  idsOf(objectId: string): Promise<readonly string[]>;
}

/** More events about one payment do not wait. */
const PARKED_EVENTS_MAX = 20;

const jobOf = async (sent: SentItem, effects: SendOptions['effects']): Promise<NewJob[]> =>
  sent.kind === 'event'
    ? [eventJob({ ...sent, run: 0 })]
    : (await effects.replan([sent.id])).map((row) => effectJob(row));

/** Settles what has ended and sends as many more as there is room for. True: the plan is at its end. */
export async function sendPayments(plan: ReplayPlan, options: SendOptions): Promise<boolean> {
  const { database } = options;
  const underWay = await itemsUnderWay(database.executor, plan.id, options.underWayMax * 4);
  let room = options.underWayMax;
  for (const item of underWay) {
    const end = judgeOutcome(item, options.performs);
    if (end === undefined) {
      room -= 1;
      continue;
    }
    if (end.outcome !== 'changed-since' && end.outcome !== 'not-sent')
      await readParkedAgain(plan, item.objectId, options);
    await settleItem(database.executor, item.id, end);
  }
  if (room > 0) {
    const jobs: NewJob[] = [];
    for (const item of await itemsToSend(database.executor, plan.id, room)) {
      if (options.booksOnly === true && !CHANGES_BOOKS.has(item.verdict)) continue;
      if (item.verdict === 'changes-invoice' && !(await isUntouched(item, options))) continue;
      const sent = await sendReplayItem(options, plan, item);
      if (sent !== undefined) jobs.push(...(await jobOf(sent, options.effects)));
    }
    await options.enqueue(jobs);
  }
  return finishReplay(database.executor, plan.id);
}

/** They change our books first; what then runs waits for FileMaker by itself. */
const CHANGES_BOOKS: ReadonlySet<ReplayWork['verdict']> = new Set(['changes-invoice', 'by-hand']);

/**
 * Whether the number may still change: the plan may be a day old, and FileMaker's log knows better than a database that was
 * restored from a backup. Where it cannot be asked, the engine asks before anything runs.
 */
async function isUntouched(item: ReplayWork, { database, askLog }: SendOptions): Promise<boolean> {
  const { effectKey } = item;
  const [standing] = effectKey === null ? [] : await readFrozenEffects(database.executor, [effectKey]);
  const word = standing === undefined ? 'not-there' : (await askLog([standing])).get(standing.key);
  if (word !== 'done' && word !== 'not-done') return true;
  await settleItem(database.executor, item.id, {
    outcome: 'changed-since',
    code: 'CHANGED_SINCE',
    reason: "FileMaker's log holds it by now, from before its invoice was changed",
  });
  return false;
}

/** Events that waited for a person because of the payment are read once more, and find it recorded: nothing is left to decide. */
async function readParkedAgain(plan: ReplayPlan, objectId: string, options: SendOptions): Promise<void> {
  const { database, inbox } = options;
  for (const id of await options.idsOf(objectId)) {
    const parked = await inbox.list({ state: 'parked', objectId: id, limit: PARKED_EVENTS_MAX });
    for (const { eventId } of parked) {
      if (isReplayEvent(eventId)) continue;
      await retryEvent(database, eventId, {
        by: plan.sentBy ?? plan.askedBy,
        why: `replay ${plan.id} has done what it waited for`,
      });
    }
  }
}
