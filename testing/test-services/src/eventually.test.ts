import { eventually } from './eventually';

test('what is found at the third look is given back', async () => {
  let looks = 0;
  const found = await eventually(
    'a third look',
    () => {
      looks += 1;
      return looks === 3 ? { looks } : undefined;
    },
    { everyMs: 1 },
  );
  expect(found).toEqual({ looks: 3 });
});

test('what never comes is named, with what there is to tell', async () => {
  const never = eventually('the refund', async () => false, { withinMs: 0, everyMs: 1, tell: () => 'last lines' });
  await expect(never).rejects.toThrow('the refund: not within 0 ms\nlast lines');
});

test('when the first look took all the time, there is a second one', async () => {
  let looks = 0;
  const look = (): boolean => {
    looks += 1;
    return looks === 2;
  };
  await expect(eventually('a second look', look, { withinMs: 0, everyMs: 1 })).resolves.toBe(true);
});

test('a look that fails ends the waiting with its own error', async () => {
  const look = async (): Promise<boolean> => {
    throw new Error('connection refused');
  };
  await expect(eventually('anything', look)).rejects.toThrow('connection refused');
});
