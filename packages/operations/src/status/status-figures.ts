import type { Database } from '@bridge/database';
import {
  createEffectStore,
  createWaitingEffects,
  type EffectState,
  type EffectSubject,
  type LaneHold,
} from '@bridge/effects';
import { type Closure, createGates, type MaintenanceWindow } from '@bridge/gates';
import { createInbox, type EventState } from '@bridge/inbox';
import { EFFECT_STATES } from '../show/lists';
import { countOtherMode, countUnverified, type OverdueEffects, readOverdue } from '../tables/read-figures';
import { readMoneyNotDone, readParkedMoney } from '../tables/read-money';
import { type LivingProcess, readProcesses, readSessionCensus, type SessionCensus } from '../tables/read-processes';
import { type RecoveryFigures, readRecoveryFigures } from '../tables/read-recovery-tables';
import { type WaitingMoney, waitingMoney } from './waiting-money';

/** Something that waits for a person. */
export interface ParkedItem {
  kind: 'effect' | 'event';
  id: string;
  /** "Mark invoice 18637 paid" or "Event checkout.session.completed evt_…". */
  title: string;
  reasonCode: string;
  reason: string;
  since: Date;
  /** Of an event: what it is about. */
  objectId: string | null;
  /** What it is worth, in minor units; null: it is about no money, or nobody knows how much. */
  money: { amount: number; currency: string } | null;
}

/** What PostgreSQL knows; null where the tables are not there yet. */
export interface StatusFigures {
  /** `otherModeLastDay`: events of the other mode (live or test) in the last 24 hours. */
  inbox: { counts: Record<EventState, number>; oldestUnfinishedSeconds: number; otherModeLastDay: number };
  effects: { counts: Record<EffectState, number>; unverifiedDone: number };
  parked: { effects: number; events: number; newest: ParkedItem[] };
  /** Paid and not done, from the first moment on: the most urgent place first. */
  money: WaitingMoney[];
  /** Unknown, or waiting to ask FileMaker first, for more than an hour: they should have been settled by themselves. */
  overdue: OverdueEffects;
  /** What has kept its lane waiting for minutes: a locked record, an answer that has not come; the longest first. */
  holds: LaneHold[];
  closures: Closure[];
  processes: { living: LivingProcess[]; everSeen: string[] };
  filemakerSessions: SessionCensus;
  /** What looks for missed webhooks, and what it has found. */
  recovery: RecoveryFigures;
}

const NEWEST_PARKED = 10;
const OVERDUE_SECONDS = 3_600;
const OLDEST_OVERDUE = 10;
/** A record is open for a moment all the time; after so long somebody should be asked. */
const HOLD_MS = 120_000;
const LONGEST_HOLDS = 10;

const moneyOf = ({ amount, currency }: EffectSubject): ParkedItem['money'] =>
  amount === undefined || currency === undefined ? null : { amount, currency };

/** Asks PostgreSQL how everything stands. `windows`: maintenance windows of the asker's configuration. */
export async function readFigures(
  database: Database,
  windows: readonly MaintenanceWindow[] = [],
): Promise<StatusFigures> {
  const inbox = createInbox(database);
  const effects = createEffectStore(database);
  const counts: Record<EffectState, number> = { planned: 0, sending: 0, unknown: 0, parked: 0, done: 0, cancelled: 0 };
  for (const { state, count } of await effects.counts()) counts[state] += count;
  const events = await inbox.counts();
  const parkedEffects = await effects.list({ state: 'parked', limit: NEWEST_PARKED });
  const parkedEvents = await inbox.list({ state: 'parked', limit: NEWEST_PARKED });
  const parkedMoney = await readParkedMoney(
    database,
    parkedEvents.map(({ eventId }) => eventId),
  );
  const newest: ParkedItem[] = [
    ...parkedEffects.map((effect) => ({
      kind: 'effect' as const,
      id: effect.id,
      title: effect.title,
      reasonCode: effect.reasonCode ?? '',
      reason: effect.reason ?? '',
      since: effect.plannedAt,
      objectId: null,
      money: moneyOf(effect.subject),
    })),
    ...parkedEvents.map((event) => ({
      kind: 'event' as const,
      id: event.id,
      title: `Event ${event.eventType} ${event.eventId}`,
      reasonCode: event.reasonCode ?? '',
      reason: event.reason ?? '',
      since: event.receivedAt,
      objectId: event.objectId,
      money: parkedMoney.get(event.eventId) ?? null,
    })),
  ]
    .sort((a, b) => b.since.getTime() - a.since.getTime())
    .slice(0, NEWEST_PARKED);
  return {
    inbox: {
      counts: events,
      oldestUnfinishedSeconds: await inbox.oldestUnfinishedSeconds(),
      otherModeLastDay: await countOtherMode(database),
    },
    effects: {
      counts: Object.fromEntries(EFFECT_STATES.map((state) => [state, counts[state]])) as Record<EffectState, number>,
      unverifiedDone: await countUnverified(database),
    },
    parked: { effects: counts.parked, events: events.parked, newest },
    money: waitingMoney(await readMoneyNotDone(database)),
    overdue: await readOverdue(database, OVERDUE_SECONDS, OLDEST_OVERDUE),
    holds: await createWaitingEffects(database).holds({ forMs: HOLD_MS, limit: LONGEST_HOLDS }),
    closures: await createGates(database, { windows }).closures(),
    processes: await readProcesses(database),
    filemakerSessions: await readSessionCensus(database),
    recovery: await readRecoveryFigures(database),
  };
}
