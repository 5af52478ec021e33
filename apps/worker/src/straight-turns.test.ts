import type { TurnEnding } from '@bridge/effects';
import type { PlannedEffect } from '@bridge/flow';
import { createStraightTurns } from './straight-turns';

const DONE = { kind: 'done', verified: true, next: false } as TurnEnding;
const REFUSED = { kind: 'refused', code: '301', message: 'locked', afterMs: 1 } as TurnEnding;
const effect = (id: string): PlannedEffect => ({ id, run: 0 });

/** Turns that end when the test says so. */
function setup(rest: { placesMax?: number; jobsInHand?: number; paused?: boolean } = {}) {
  const turns = new Map<string, { onSending(): void; end(ending: TurnEnding): void; fail(error: Error): void }>();
  const books = { queued: [] as string[], queuedAgain: [] as [string, string | undefined][], errors: [] as string[] };
  const straight = createStraightTurns({
    placesMax: rest.placesMax ?? 3,
    jobs: { inHand: () => rest.jobsInHand ?? 0, paused: () => rest.paused ?? false },
    perform: (id, onSending) =>
      new Promise((end, fail) => {
        turns.set(id, { onSending, end, fail });
      }),
    enqueue: async ({ id }) => void books.queued.push(id),
    enqueueAgain: async ({ id }, ending) => void books.queuedAgain.push([id, ending?.kind]),
    onError: (error) => books.errors.push(error.message),
  });
  const turn = (id: string) => {
    const found = turns.get(id);
    if (found === undefined) throw new Error(`no turn was begun with ${id}`);
    return found;
  };
  return { straight, turn, begun: () => [...turns.keys()], books, ended: () => straight.stop(5_000) };
}

test('what is planned begins at once while there are places; the others are left to the queue', () => {
  const { straight, begun } = setup({ placesMax: 3, jobsInHand: 1 });
  expect(straight.take(['1', '2', '3'].map(effect))).toEqual([effect('3')]);
  expect(straight.take([effect('4')])).toEqual([effect('4')]);
  expect(begun()).toEqual(['1', '2']);
});

test('a place is free again once its turn has ended', async () => {
  const { straight, turn, begun } = setup({ placesMax: 1 });
  straight.take([effect('1')]);
  const ending = straight.join('1');
  turn('1').end(DONE);
  await ending;
  await new Promise((resolve) => setImmediate(resolve));
  expect(straight.take([effect('2')])).toEqual([]);
  expect(begun()).toEqual(['1', '2']);
});

test('while the jobs of the queue may not begin, nothing else may', () => {
  const { straight, begun } = setup({ paused: true });
  expect(straight.take([effect('1')])).toEqual([effect('1')]);
  expect(begun()).toEqual([]);
});

test('the job is added once the first byte is on its way, not before', async () => {
  const { straight, turn, books, ended } = setup();
  straight.take([effect('1')]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(books.queued).toEqual([]);
  turn('1').onSending();
  turn('1').end(DONE);
  await ended();
  expect([books.queued, books.queuedAgain]).toEqual([['1'], []]);
});

test('a job joins the turn of its effect: one ending for both, and no second job', async () => {
  const { straight, turn, books, ended } = setup();
  straight.take([effect('1')]);
  turn('1').onSending();
  const joined = straight.join('1');
  expect(straight.join('2')).toBeUndefined();
  turn('1').end(REFUSED);
  expect(await joined).toBe(REFUSED);
  await ended();
  expect([books.queued, books.queuedAgain]).toEqual([['1'], []]);
  expect(straight.join('1')).toBeUndefined();
});

test('a joined turn counts as one of the jobs in hand, not once more', () => {
  const { straight, begun } = setup({ placesMax: 2, jobsInHand: 1 });
  straight.take([effect('1')]);
  void straight.join('1');
  expect(straight.take([effect('2')])).toEqual([]);
  expect(begun()).toEqual(['1', '2']);
});

test('a turn that was not done and that no job has joined comes again by a job, also when it threw', async () => {
  const { straight, turn, books, ended } = setup();
  straight.take(['1', '2'].map(effect));
  turn('1').onSending();
  turn('1').end(REFUSED);
  turn('2').fail(new Error('PostgreSQL was not reached'));
  await ended();
  expect(new Map(books.queuedAgain)).toEqual(
    new Map([
      ['1', 'refused'],
      ['2', undefined],
    ]),
  );
  expect([books.queued, books.errors]).toEqual([['1'], ['PostgreSQL was not reached']]);
});

test('stopping begins nothing more and waits for what is in hand, no longer than it may', async () => {
  const { straight, turn, books, ended } = setup();
  straight.take([effect('1')]);
  const stopped = ended();
  expect(straight.take([effect('2')])).toEqual([effect('2')]);
  turn('1').end(DONE);
  await stopped;
  expect(books.queuedAgain).toEqual([]);
  const hanging = setup();
  hanging.straight.take([effect('1')]);
  await hanging.straight.stop(1);
});
