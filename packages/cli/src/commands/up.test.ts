import { isJsonObject } from './up';

test('with --json a line of an app is passed on as it is only where it is one JSON object by itself', () => {
  expect(isJsonObject('{"level":"info","msg":"listening"}')).toBe(true);
  for (const line of ['{', "{ code: 'EADDRINUSE' }", '{"cut":', 'Error: {"a":1}', '[1]', '7', ''])
    expect(isJsonObject(line)).toBe(false);
});
