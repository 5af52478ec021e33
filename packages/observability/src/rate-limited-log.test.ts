import { rateLimitedLog } from './rate-limited-log';

test('a storm becomes its first line and then one line per interval with the number held back', () => {
  let now = 0;
  const lines: [object, string][] = [];
  const record = (fields: object, message: string): void => {
    lines.push([fields, message]);
  };
  const log = rateLimitedLog({ warn: record, error: record } as never, {
    message: 'Redis is away',
    everyMs: 1_000,
    now: () => now,
  });
  for (let index = 0; index < 5_000; index += 1) {
    now = index;
    log({ index });
  }
  expect(lines).toEqual([
    [{ index: 0 }, 'Redis is away'],
    [{ index: 1_000, suppressed: 999 }, 'Redis is away'],
    [{ index: 2_000, suppressed: 999 }, 'Redis is away'],
    [{ index: 3_000, suppressed: 999 }, 'Redis is away'],
    [{ index: 4_000, suppressed: 999 }, 'Redis is away'],
  ]);
});
