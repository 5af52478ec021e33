import type { TurnEnding } from '@bridge/effects';
import type { RoadEnding } from '@bridge/flow';
import type { JobEnding } from '@bridge/jobs';

/** What an event's turn means for its job. */
export function eventJobEnding(ending: RoadEnding): JobEnding {
  if (ending.kind === 'parked') return { kind: 'failed', reason: `${ending.reasonCode}: ${ending.reason}` };
  if (ending.kind === 'waiting') return { kind: 'later', afterMs: ending.afterMs };
  if (ending.kind === 'nothing' && ending.dueInMs !== undefined) return { kind: 'later', afterMs: ending.dueInMs };
  return { kind: 'finished' };
}

/** What an effect's turn means for its job. */
export function effectJobEnding(ending: TurnEnding): JobEnding {
  if (ending.kind === 'parked') return { kind: 'failed', reason: `${ending.code}: ${ending.message}` };
  if (ending.kind === 'waiting' || ending.kind === 'refused' || ending.kind === 'unknown')
    return { kind: 'later', afterMs: ending.afterMs };
  if (ending.kind === 'nothing' && ending.dueInMs !== undefined) return { kind: 'later', afterMs: ending.dueInMs };
  return { kind: 'finished' };
}
