import { z } from 'zod';

// How a walk through one of Stripe's lists tells which of ours the list should have named. Such a list goes from the newest
// to the oldest; its times are whole seconds, and many objects can be born in one of them.

/** Objects of one second that are remembered from page to page. */
const EDGE_MAX = 2_000;

/** Seconds since 1970, as Stripe counts them. */
export const secondsOf = (date: Date): number => Math.floor(date.getTime() / 1_000);
export const dateOf = (seconds: number): Date => new Date(seconds * 1_000);

export const placeSchema = z.object({ bornAt: z.string(), id: z.string() });

/** Which of ours a page of Stripe's list should have named, and which it did name. */
export const rangeSchema = z.object({
  /** Seconds, not included. */
  after: z.number().int(),
  /** Seconds, included. */
  upTo: z.number().int(),
  named: z.array(z.string()),
  behind: placeSchema.optional(),
});
export type ListedRange = z.output<typeof rangeSchema>;

/** How far a list has been walked. */
export const listPlaceShape = {
  /** The last object that was listed. */
  olderThan: z.string().optional(),
  /** The second in which it was born; everything younger was listed. */
  born: z.number().int(),
  /** Objects born in that second that were listed already. */
  edge: z.array(z.string()),
  /** Ours that are still to be looked for. */
  range: rangeSchema.optional(),
  /** The list has come to its end. */
  ended: z.boolean().optional(),
};
const listPlace = z.object(listPlaceShape);
export type ListPlace = z.output<typeof listPlace>;

const field = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined;
export function idOf(object: unknown): string | undefined {
  const id = field(object, 'id');
  return typeof id === 'string' ? id : undefined;
}
function bornAt(object: unknown): number | undefined {
  const created = field(object, 'created');
  return typeof created === 'number' && Number.isSafeInteger(created) ? created : undefined;
}

/** Where the list goes on behind a page of objects, and which of ours it should have named. */
export function stepBehind(before: ListPlace, page: readonly unknown[]): ListPlace & { range: ListedRange } {
  const ids = page.flatMap((object) => idOf(object) ?? []);
  const born = Math.min(before.born, ...page.flatMap((object) => bornAt(object) ?? []));
  const atEdge = page.filter((object) => bornAt(object) === born).flatMap((object) => idOf(object) ?? []);
  const edge = [...(born === before.born ? before.edge : []), ...atEdge].slice(-EDGE_MAX);
  return {
    olderThan: ids.at(-1) ?? before.olderThan,
    born,
    edge,
    range: { after: born, upTo: before.born, named: [...before.edge, ...ids] },
  };
}

/** Behind the last page: what of ours was born in the rest of the window. `since`: seconds. */
export const restOfList = (at: ListPlace, since: number): ListedRange => ({
  after: since - 1,
  upTo: at.born,
  named: at.edge,
});
