import { repeat, settledWithin } from './repeat';

test('rounds never overlap, and one that throws is told and followed by the next', async () => {
  let running = 0;
  let most = 0;
  let rounds = 0;
  const errors: string[] = [];
  const four = new Promise<void>((resolve) => {
    const repeating = repeat(
      async () => {
        running += 1;
        rounds += 1;
        most = Math.max(most, running);
        for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
        running -= 1;
        if (rounds === 2) throw new Error('no luck');
        if (rounds === 4) void repeating.stop().then(resolve);
      },
      1,
      (error) => void errors.push(error.message),
    );
  });
  await four;
  expect([most, errors]).toEqual([1, ['no luck']]);
});

test('stop waits for the round in hand and begins no other', async () => {
  let open: () => void = () => undefined;
  let ended = 0;
  const began = new Promise<void>((tell) => {
    const repeating = repeat(
      async () => {
        tell();
        await new Promise<void>((resolve) => {
          open = resolve;
        });
        ended += 1;
      },
      1,
      () => undefined,
    );
    stop = () => repeating.stop();
  });
  await began;
  const stopping = stop();
  open();
  await stopping;
  expect(ended).toBe(1);
});
let stop: () => Promise<void> = async () => undefined;

test('a wait with a limit ends by the limit, or when the work has settled either way', async () => {
  const began = performance.now();
  await settledWithin(new Promise(() => undefined), 30);
  expect(performance.now() - began).toBeGreaterThanOrEqual(29);
  await settledWithin(Promise.reject(new Error('not ours to tell')), 60_000);
  expect(performance.now() - began).toBeLessThan(30_000);
});
