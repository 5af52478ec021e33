import type { StripeObject } from './stripe-object';

/** Which part of a list to walk. Times are whole seconds since 1970, as Stripe's `created`. */
export interface PageQuery {
  created?: { gt?: number; gte?: number; lt?: number; lte?: number };
  /** Walk towards the present from this id, oldest first. Without it a walk goes into the past, newest first. */
  newerThan?: string;
  /** Walk into the past from this id. */
  olderThan?: string;
  /** 1 to 100; default 100. */
  pageSize?: number;
  /** Ends the walk, however much is left; default 1,000. The last page then says `hasMore`. */
  pagesMax?: number;
}

/** One page of a list at Stripe. */
export interface StripePage {
  /** In the order of the walk. */
  items: StripeObject[];
  /** Id of the last item: a later walk goes on from here. */
  cursor: string;
  hasMore: boolean;
}

export interface PageRequest {
  limit: number;
  created?: { gt?: number; gte?: number; lt?: number; lte?: number };
  starting_after?: string;
  ending_before?: string;
}

/** Walks a list page by page. An empty list has no page. */
export async function* walkPages(
  query: PageQuery,
  fetchPage: (request: PageRequest) => Promise<{ items: StripeObject[]; hasMore: boolean }>,
): AsyncGenerator<StripePage, void, void> {
  const forward = query.newerThan !== undefined;
  const pagesMax = query.pagesMax ?? 1000;
  let cursor = query.newerThan ?? query.olderThan;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const from = cursor === undefined ? {} : forward ? { ending_before: cursor } : { starting_after: cursor };
    const { items, hasMore } = await fetchPage({
      limit: query.pageSize ?? 100,
      ...(query.created === undefined ? {} : { created: query.created }),
      ...from,
    });
    // Every page of Stripe's is newest first, also those asked for with `ending_before`.
    const inOrder = forward ? items.toReversed() : items;
    const last = inOrder.at(-1);
    if (last === undefined || last.id === cursor) return;
    cursor = last.id;
    yield { items: inOrder, cursor, hasMore };
    if (!hasMore) return;
  }
}
