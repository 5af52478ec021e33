/** Whole seconds since 1970, both included. */
export interface CreatedWindow {
  since: number;
  /** Undefined: up to the present. */
  until: number | undefined;
}

export interface ListedPage<Item> {
  items: Item[];
  hasMore: boolean;
}

/** One page of a list, in the list's own order, newest first; or, from an item on, towards the present, oldest first. */
export interface ListAsker<Item> {
  newest(window: CreatedWindow): Promise<ListedPage<Item>>;
  /** The page behind the newest item of `window` that is older than `olderThan`. */
  older(window: CreatedWindow, olderThan: string): Promise<ListedPage<Item>>;
  newerThan(window: CreatedWindow, id: string): Promise<ListedPage<Item>>;
}

/**
 * Walks a list that Stripe gives newest first from its oldest end, page by page, holding one page at a time: whoever
 * writes down how far he came can go on from there. One question where a page holds it all, as nearly always. Otherwise
 * the oldest page is found by halving the time, about twenty questions for a month, and from there on each page costs one.
 */
export async function* oldestFirst<Item extends { id: string }>(
  ask: ListAsker<Item>,
  window: CreatedWindow,
  options: { now: number; pagesMax: number },
): AsyncGenerator<Item[], { complete: boolean }, void> {
  const all = await ask.newest(window);
  if (all.items.length === 0) return { complete: true };
  if (!all.hasMore) {
    yield all.items.toReversed();
    return { complete: true };
  }
  let pages = 0;
  let anchor: string | undefined;
  for await (const page of oldestPages(ask, window, options.now)) {
    anchor = page.newest;
    pages += 1;
    yield page.items;
  }
  while (anchor !== undefined) {
    if (pages >= options.pagesMax) return { complete: false };
    const page: ListedPage<Item> = await ask.newerThan(window, anchor);
    anchor = page.items.at(-1)?.id;
    pages += 1;
    if (page.items.length > 0) yield page.items;
    if (!page.hasMore) return { complete: true };
  }
  return { complete: true };
}

/** More than a page lies in the window: the pages of its oldest stretch, and which of their items is the newest. */
async function* oldestPages<Item extends { id: string }>(
  ask: ListAsker<Item>,
  window: CreatedWindow,
  now: number,
): AsyncGenerator<{ items: Item[]; newest: string | undefined }, void, void> {
  let [low, high] = [window.since, window.until ?? now];
  // Nothing lies before `low`, and more than a page up to `high`.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const page = await ask.newest({ since: low, until: middle });
    if (page.items.length === 0) low = middle + 1;
    else if (page.hasMore) high = middle;
    else {
      yield { items: page.items.toReversed(), newest: page.items[0]?.id };
      return;
    }
  }
  // One second with more than a page: it is walked as it comes, and what is newer begins behind its first item.
  const second = { since: low, until: high };
  let page = await ask.newest(second);
  const newest = page.items[0]?.id;
  for (;;) {
    yield { items: page.items, newest };
    const last = page.items.at(-1)?.id;
    if (!page.hasMore || last === undefined) return;
    page = await ask.older(second, last);
  }
}
