import { CommandError } from './failure';
import { createWorkerWatch, lostSight } from './worker-watch';

/** Looks every `everyMs`, at a clock that only the test moves. */
function setup() {
  const world = { at: 0, there: false };
  const watch = createWorkerWatch(
    async () => world.there,
    () => world.at,
  );
  const looks = async (times: number, everyMs: number): Promise<(string | undefined)[]> => {
    const seen: string[] = [];
    for (let time = 0; time < times; time += 1) {
      world.at += everyMs;
      seen.push(await watch.look());
    }
    return [...new Set(seen)];
  };
  return { world, looks };
}

test('workers count as gone only after a whole minute of looks at which none was there', async () => {
  const { looks } = setup();
  expect(await looks(119, 500)).toEqual(['away']);
  expect(await looks(1, 500)).toEqual(['gone']);
});

test('a worker that is back within the minute is waited for anew', async () => {
  const { world, looks } = setup();
  expect(await looks(100, 500)).toEqual(['away']);
  world.there = true;
  expect(await looks(1, 500)).toEqual(['there']);
  world.there = false;
  expect(await looks(119, 500)).toEqual(['away']);
});

test('a machine that slept for an hour between two looks gives nobody up', async () => {
  const { looks } = setup();
  expect(await looks(3, 3_600_000)).toEqual(['away']);
});

test('a command that loses sight of its work says that it goes on and how to look again, beside what happened', () => {
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const told = lostSight(away, 'Replay 12 goes on: ./bridge replay --resume 12');
  expect(told instanceof CommandError && [told.code, told.message]).toEqual([
    'POSTGRESQL_AWAY',
    expect.stringMatching(/^PostgreSQL does not answer .*\nReplay 12 goes on: [.]\/bridge replay --resume 12$/),
  ]);
  const own = new CommandError('NO_WORKER', 'No worker was there');
  expect(lostSight(own, 'x')).toBe(own);
});
