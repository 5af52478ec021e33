import * as fc from 'fast-check';
import { type CreatedWindow, type ListAsker, oldestFirst } from './oldest-first';

interface Item {
  id: string;
  created: number;
}
const PAGE = 3;

/** A list as Stripe gives it: newest first, cursors in both directions, `has_more` in the direction of travel. */
function listOf(created: readonly number[]): { ask: ListAsker<Item>; asked: () => number; newest: Item[] } {
  const newest = created
    .toSorted((a, b) => b - a)
    .map((at, index) => ({ id: `evt_${created.length - index}`, created: at }));
  let questions = 0;
  const within = ({ since, until }: CreatedWindow): Item[] => {
    questions += 1;
    return newest.filter((item) => item.created >= since && item.created <= (until ?? Number.POSITIVE_INFINITY));
  };
  return {
    newest,
    asked: () => questions,
    ask: {
      newest: async (window) => {
        const items = within(window);
        return { items: items.slice(0, PAGE), hasMore: items.length > PAGE };
      },
      older: async (window, id) => {
        const items = within(window);
        const rest = items.slice(items.findIndex((item) => item.id === id) + 1);
        return { items: rest.slice(0, PAGE), hasMore: rest.length > PAGE };
      },
      newerThan: async (window, id) => {
        const items = within(window);
        const newer = items
          .slice(
            0,
            items.findIndex((item) => item.id === id),
          )
          .toReversed();
        return { items: newer.slice(0, PAGE), hasMore: newer.length > PAGE };
      },
    },
  };
}

async function walk(list: ReturnType<typeof listOf>, window: CreatedWindow, pagesMax = 10_000) {
  const walked = oldestFirst(list.ask, window, { now: 100_000, pagesMax });
  const pages: Item[][] = [];
  for (;;) {
    const next = await walked.next();
    if (next.done === true) return { pages, complete: next.value.complete };
    pages.push(next.value);
  }
}

test('every item of the window comes exactly once, and no page holds one that is older than a page before it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 60 }),
        // Many in one second, which no halving of time takes apart.
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 4, maxLength: 40 }),
      ),
      fc.integer({ min: 0, max: 60 }),
      fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
      async (created, since, until) => {
        const list = listOf(created);
        const { pages, complete } = await walk(list, { since, until });
        const expected = list.newest.filter((item) => item.created >= since && item.created <= (until ?? 1e9));
        expect(complete).toBe(true);
        expect(
          pages
            .flat()
            .map(({ id }) => id)
            .toSorted(),
        ).toEqual(expected.map(({ id }) => id).toSorted());
        const seconds = pages.map((page) => page.map((item) => item.created));
        for (const [index, page] of seconds.entries()) {
          const before = seconds[index - 1] ?? [];
          expect(Math.min(...page)).toBeGreaterThanOrEqual(Math.max(0, ...before));
          expect(page.length).toBeLessThanOrEqual(PAGE);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('one question where a page holds it all; a month costs its pages and about twenty more', async () => {
  const few = listOf([10, 11, 12]);
  await walk(few, { since: 0, until: undefined });
  expect(few.asked()).toBe(1);
  const month = listOf(Array.from({ length: 300 }, (_, index) => index * 8_640));
  const { pages } = await oldest(month);
  expect(pages).toBeGreaterThanOrEqual(100);
  expect(month.asked()).toBeLessThan(pages + 25);
});

test('a walk that is cut at its bound says that it is not complete', async () => {
  const list = listOf(Array.from({ length: 50 }, (_, index) => index));
  const { pages, complete } = await walk(list, { since: 0, until: undefined }, 4);
  expect(complete).toBe(false);
  expect(pages).toHaveLength(4);
});

async function oldest(list: ReturnType<typeof listOf>): Promise<{ pages: number }> {
  const walked = oldestFirst(list.ask, { since: 0, until: undefined }, { now: 2_592_000, pagesMax: 10_000 });
  let pages = 0;
  for await (const page of walked) pages += page.length > 0 ? 1 : 0;
  return { pages };
}
