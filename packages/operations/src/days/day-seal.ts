import { canonicalJson, digestOf, headOf } from './chain';
import type { ClosedDay } from './day-store';

/**
 * Pure: why a kept day is not what was closed; undefined: it is. Looks at this day alone; whether it stands on the days
 * before it is for `verifyDays`.
 */
export function brokenSeal(closed: ClosedDay): string | undefined {
  const digest = Buffer.from(closed.digest, 'hex');
  // The contents are kept as canonical JSON, so writing them again gives the bytes that were closed.
  if (closed.contents !== null && !digestOf(canonicalJson(closed.contents)).equals(digest))
    return 'Its contents are not what was closed.';
  return headOf(Buffer.from(closed.previousHead, 'hex'), closed.day, digest).toString('hex') === closed.head
    ? undefined
    : 'Its head is not that of its contents.';
}
