import { type Asking, startAsking } from './asking';

const started: Asking[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((asking) => asking.stop(1_000)));
});

/** Effects that wait; a turn with one takes it out, and ends when the test lets it. */
function setup(
  count: number,
  rest: { closed?: () => boolean; duty?: () => boolean; redis?: () => boolean; fails?: string } = {},
) {
  let waiting = Array.from({ length: count }, (_, at) => `${at}`);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const errors: Error[] = [];
  let looks = 0;
  let laidDown = 0;
  const seen: (() => void)[] = [];
  const notice = (): void => {
    for (const tell of seen.splice(0)) tell();
  };
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await new Promise<void>((resolve) => seen.push(resolve));
  };
  const asking = startAsking({
    waiting: {
      toAsk: async (limit) => {
        looks += 1;
        setImmediate(notice);
        return waiting.slice(0, limit);
      },
    },
    perform: (id) => {
      waiting = waiting.filter((one) => one !== id);
      begun.push(id);
      notice();
      if (id === rest.fails) return Promise.reject(new Error('ours'));
      return new Promise<void>((resolve) => ends.push(resolve));
    },
    closed: async () => {
      setImmediate(notice);
      return rest.closed?.() ?? false;
    },
    takeDuty: async () => {
      setImmediate(notice);
      return rest.duty?.() ?? true;
    },
    dropDuty: async () => {
      laidDown += 1;
      notice();
    },
    redisAnswers: async () => rest.redis?.() ?? true,
    onError: (error) => {
      errors.push(error);
      notice();
    },
    everyMs: 5,
  });
  started.push(asking);
  const endAll = (): void => {
    for (const end of ends.splice(0)) end();
  };
  return { asking, begun, ends, endAll, errors, looks: () => looks, laidDown: () => laidDown, until };
}

test('as many as one find takes are in hand at once, and the next come when there is room', async () => {
  const { asking, begun, endAll, ends, until } = setup(120);
  await until(() => begun.length === 50);
  expect(asking.inHand()).toBe(50);
  ends.shift()?.();
  await until(() => begun.length === 51);
  endAll();
  await until(() => begun.length === 101);
  endAll();
  await until(() => begun.length === 120);
  endAll();
  expect(new Set(begun).size).toBe(120);
});

test('nothing is taken while FileMaker is closed or another process has the duty', async () => {
  const state = { closed: true, asked: 0, tries: 0 };
  const { begun, looks, endAll, until } = setup(3, {
    closed: () => {
      state.asked += 1;
      return state.closed;
    },
    duty: () => {
      state.tries += 1;
      return state.tries > 2;
    },
  });
  await until(() => state.asked === 3);
  expect([state.tries, looks()]).toEqual([0, 0]);
  state.closed = false;
  await until(() => begun.length === 3);
  expect([state.tries, looks()]).toEqual([3, 1]);
  endAll();
});

test('a turn that fails is told, and keeps none of the others from theirs', async () => {
  const { asking, begun, errors, endAll, until } = setup(3, { fails: '1' });
  await until(() => begun.length === 3 && errors.length === 1);
  expect(errors.map(({ message }) => message)).toEqual(['ours']);
  endAll();
  await asking.stop(1_000);
  expect(asking.inHand()).toBe(0);
});

test('the end waits for turns in hand, but not longer than it may', async () => {
  const { asking, begun, endAll, until } = setup(2);
  await until(() => begun.length === 2);
  await asking.stop(10);
  expect(asking.inHand()).toBe(2);
  const ended = asking.stop(5_000);
  endAll();
  await ended;
  expect(asking.inHand()).toBe(0);
});

test('who stops asking lays the duty down while turns in hand go on', async () => {
  const { asking, begun, endAll, laidDown, until } = setup(1);
  await until(() => begun.length === 1);
  const stopping = asking.stop(60_000);
  await until(() => laidDown() === 1);
  expect(asking.inHand()).toBe(1);
  endAll();
  await stopping;
});

test('who cannot reach Redis lays the duty down, and asks again when it is back', async () => {
  const state = { redis: false, tries: 0 };
  const { begun, looks, endAll, laidDown, until } = setup(2, {
    redis: () => state.redis,
    duty: () => {
      state.tries += 1;
      return true;
    },
  });
  await until(() => laidDown() === 2);
  expect([state.tries, looks()]).toEqual([0, 0]);
  state.redis = true;
  await until(() => begun.length === 2);
  endAll();
});
