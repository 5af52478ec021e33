import type { UnderWay } from '../tables/read-replay-tables';
import type { ReplayOutcome } from './replay-items';

export interface ItemEnd {
  outcome: ReplayOutcome;
  code: string | null;
  reason: string | null;
}

/** What waits for a locked record, an answer, or another effect of its lane frees its place after so long; it goes on by itself. */
const WAITS_MS = 20_000;
const RECORD_LOCKED = 'FILEMAKER_RECORD_LOCKED';
/** So long may sending and its job lie apart before nothing is known of it. */
const LOST_MS = 120_000;

const ended = (outcome: ReplayOutcome, code: string | null = null, reason: string | null = null): ItemEnd => ({
  outcome,
  code,
  reason,
});

/** Pure: how an item that was sent has ended; undefined: it is still under way. `performs` is false with MODE=observe. */
export function judgeOutcome(
  { acts, verdict, event, effect, sentMs, attemptsBefore }: UnderWay,
  performs: boolean,
): ItemEnd | undefined {
  if (acts === 'send') {
    if (event === null)
      return sentMs > LOST_MS ? ended('not-sent', 'EVENT_GONE', 'Its event is not there any more') : undefined;
    if (event.state === 'received' || event.state === 'processing') return undefined;
    if (event.reasonCode === 'CHANGED_SINCE') return ended('changed-since', event.reasonCode, event.reason);
    if (event.state === 'parked') return ended('parked', event.reasonCode, event.reason);
    if (verdict === 'by-hand' && event.state === 'processed') return ended('recorded');
    if (effect === null) return ended('not-sent', event.reasonCode, event.reason);
    // Another event has planned it meanwhile: how that one ends is told, but the work was not ours.
    if (event.state === 'ignored' && effect.state === 'done') return ended('already-applied', event.reasonCode);
  }
  if (effect === null) return ended('not-sent', 'EFFECT_GONE', 'Its effect is not there any more');
  switch (effect.state) {
    case 'done':
      return effect.attempts === attemptsBefore
        ? ended('already-applied', 'FOUND_DONE', 'FileMaker had done it already')
        : ended('applied');
    case 'parked':
      return ended('parked', effect.reasonCode, effect.reason);
    case 'cancelled':
      return ended('not-sent', 'CANCELLED', 'A person decided that it shall not happen');
    default:
      if (!performs) return ended('observed', 'MODE_OBSERVE', 'With MODE=observe it is recorded and not sent');
      if (sentMs <= WAITS_MS || effect.inHand) return undefined;
      if (effect.behind !== null) return behindAnother(effect.behind);
      return effect.state === 'unknown' || effect.reasonCode === RECORD_LOCKED || verdict === 'changes-invoice'
        ? ended('on-its-way', effect.reasonCode, effect.reason)
        : undefined;
  }
}

/**
 * One that waits behind another of this plan has its turn when that one has ended, which is awaited anyway. Whatever else holds
 * the one before it, for days perhaps, must not hold the whole replay.
 */
function behindAnother({
  id,
  state,
  reasonCode,
  ofThisPlan,
}: NonNullable<NonNullable<UnderWay['effect']>['behind']>): ItemEnd | undefined {
  if (ofThisPlan) return undefined;
  const stands = state === 'unknown' || reasonCode !== null;
  return stands
    ? ended(
        'on-its-way',
        'BEHIND_IN_LANE',
        `It stands still behind effect ${id} of the same invoice${reasonCode === null ? '' : ` (${reasonCode})`}: a person should look at that one`,
      )
    : ended(
        'on-its-way',
        'WAITS_ITS_TURN',
        `It waits for its turn behind effect ${id} of the same invoice, which goes on by itself`,
      );
}
