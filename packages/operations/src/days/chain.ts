import { createHash } from 'node:crypto';
import type { Day } from './calendar';

/** What the first day's head stands on. */
export const FIRST_HEAD: Buffer = Buffer.alloc(32);

const sha256 = (...parts: readonly (Buffer | string)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const digestOf = (contents: string): Buffer => sha256(contents);

/** sha256(previous head || day || digest of the contents): contents may be erased, and the chain still checks. */
export const headOf = (previous: Buffer, day: Day, digest: Buffer): Buffer => sha256(previous, day, digest);

/** JSON with sorted keys and nothing between: the same value is the same text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

export interface Link {
  day: Day;
  number: number;
  contents: string | null;
  digest: Buffer;
  previousHead: Buffer;
  head: Buffer;
}

export interface BrokenLink {
  day: Day;
  /** A sentence. */
  what: string;
}

/** Checks one link against the one before it; undefined: it holds. */
export function breakOf(link: Link, before: Link | undefined): BrokenLink | undefined {
  const broken = (what: string): BrokenLink => ({ day: link.day, what });
  const previous = before?.head ?? FIRST_HEAD;
  if (link.number !== (before?.number ?? 0) + 1)
    return broken(
      `It is number ${link.number} of the chain and stands after number ${before?.number ?? 0}: a day is missing.`,
    );
  if (!link.previousHead.equals(previous))
    return broken(`It does not stand on the head of ${before?.day ?? 'the beginning'}.`);
  if (link.contents !== null && !digestOf(link.contents).equals(link.digest))
    return broken('Its contents are not what was closed.');
  if (!headOf(previous, link.day, link.digest).equals(link.head))
    return broken('Its head is not that of its contents.');
  return undefined;
}
