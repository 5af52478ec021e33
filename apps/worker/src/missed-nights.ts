import type { NewJob } from '@bridge/jobs';
import { NIGHTLY_LATE_MS } from './reconcile/late-pass';

/** Rounds that come once a night. While observing there is one more. */
const NIGHTLY = ['erase-bodies', 'compare-observed'] as const;

/**
 * Jobs for the rounds of the night that did not come: the machine was off at that hour, or Redis forgot its schedules. One
 * a day each, whoever asks for it. A comparison that never came waits for its first night; erasing does not, since a machine
 * that is off each night would never begin.
 */
export function missedNights(
  runs: readonly { schedule: string; succeededAt: Date }[],
  mode: 'live' | 'observe',
  now: Date,
): NewJob<'rounds'>[] {
  return NIGHTLY.filter((task) => {
    const last = runs.find(({ schedule }) => schedule === task)?.succeededAt;
    if (task === 'compare-observed' && (mode !== 'observe' || last === undefined)) return false;
    return last === undefined || now.getTime() - last.getTime() > NIGHTLY_LATE_MS;
  }).map((task) => ({ queue: 'rounds', id: `missed_${task}-${now.toISOString().slice(0, 10)}`, data: { task } }));
}
