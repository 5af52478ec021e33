import { type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { fault, type Judged } from './fault';

/** How far another clock is ahead of ours (negative: behind), in ms, and how sure that is. */
export interface ClockReading {
  /** For people: "PostgreSQL", "Stripe". */
  whose: string;
  aheadMs: number;
  /** The answer's way and the coarseness of the other clock: the truth lies within so much. */
  sureWithinMs: number;
}

/** A signature five minutes old is refused; long before that somebody should look. */
const DIFFERENCE_MAX_MS = 5_000;

/** Pure: whatever can be explained by the way of the answer is no difference. */
export function judgeClock(readings: readonly ClockReading[]): Judged {
  const wrong = readings.filter(({ aheadMs, sureWithinMs }) => Math.abs(aheadMs) - sureWithinMs > DIFFERENCE_MAX_MS);
  return {
    detail: readings.length === 0 ? 'nobody to compare with' : readings.map(sentenceOf).join(', '),
    faults: wrong.length === 0 ? [] : [fault('CLOCK_DIFFERS', wrong.map(sentenceOf).join(', '))],
  };
}

function sentenceOf({ whose, aheadMs, sureWithinMs }: ClockReading): string {
  if (Math.abs(aheadMs) <= Math.max(1_000, sureWithinMs)) return `${whose} agrees`;
  const seconds = Math.round(Math.abs(aheadMs) / 100) / 10;
  return `${whose} is ${seconds} s ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

/** Asks for a time and compares it with the middle of the way. `coarseMs`: the other clock tells no finer. */
export async function readClock(
  whose: string,
  ask: () => Promise<Date | null>,
  coarseMs: number,
): Promise<ClockReading | null> {
  const begun = Date.now();
  const theirs = await ask();
  const ended = Date.now();
  if (theirs === null) return null;
  const wayMs = (ended - begun) / 2;
  return { whose, aheadMs: theirs.getTime() + coarseMs / 2 - (begun + wayMs), sureWithinMs: wayMs + coarseMs / 2 };
}

export const postgresqlTime = async (database: Database): Promise<Date | null> => {
  const row = await oneRow<{ at: string }>(database.executor, sql`select clock_timestamp() as at`);
  return row === undefined ? null : new Date(row.at);
};
