import { watchJobs } from './job-watch';

function setup(state: { begun: number; inHand: number; paused: boolean; waiting: number }) {
  const worker = { begun: () => state.begun, inHand: () => state.inHand, paused: () => state.paused };
  return watchJobs([{ queue: 'stripe-events', worker, waiting: async () => state.waiting }], () => undefined);
}
async function looks(watch: ReturnType<typeof setup>, count: number): Promise<string | undefined> {
  for (let look = 0; look < count; look += 1) await watch.look();
  await watch.stop();
  return watch.fault();
}

test('case W: a worker that begins nothing for three looks while jobs wait asks to be restarted', async () => {
  expect(await looks(setup({ begun: 5, inHand: 0, paused: false, waiting: 3 }), 4)).toBe(
    'jobs wait in stripe-events and none is begun',
  );
});

test('a worker is left alone while it works, is paused, or has nothing to do', async () => {
  expect(await looks(setup({ begun: 5, inHand: 1, paused: false, waiting: 3 }), 9)).toBe(undefined);
  expect(await looks(setup({ begun: 5, inHand: 0, paused: true, waiting: 3 }), 9)).toBe(undefined);
  expect(await looks(setup({ begun: 5, inHand: 0, paused: false, waiting: 0 }), 9)).toBe(undefined);
});

test('one job that is begun is enough to be trusted again', async () => {
  const state = { begun: 5, inHand: 0, paused: false, waiting: 3 };
  const watch = setup(state);
  await looks(watch, 4);
  state.begun += 1;
  expect(await looks(watch, 1)).toBe(undefined);
});
