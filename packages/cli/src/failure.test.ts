import { CommandError, describeFailure, failureText } from './failure';
import { createOutput } from './output';

/** A terminal of so many columns, or none. */
const listener = (columns: number | undefined): NodeJS.WriteStream =>
  ({ isTTY: columns !== undefined, columns }) as NodeJS.WriteStream;

const coded = (message: string, code: string, cause?: unknown): Error =>
  Object.assign(new Error(message, { cause }), { code });

test('a failed query shows its cause and never the query with its values', () => {
  const failure = describeFailure(
    new Error("Failed query: select 'secret'\nparams: secret", { cause: coded('relation is missing', '42P01') }),
  );
  expect(failure).toEqual({
    code: 'POSTGRESQL_REFUSED',
    message: 'The database lacks tables. Run: ./bridge migrate',
    exitCode: 1,
  });
});

test('every failure that a person can mend says what to do, or where it stands', () => {
  const migration = Object.assign(coded('effects/0009-x.sql is not in this build', 'MIGRATION_MISSING'), {
    name: 'MigrationError',
  });
  const configuration = Object.assign(coded('DATABASE_URL: is missing', 'CONFIGURATION_FAULTY'), { exitCode: 78 });
  const failures = [
    migration,
    configuration,
    coded('connect ECONNREFUSED', 'ECONNREFUSED'),
    coded('too many clients', '53300'),
    coded('no such table', '42P01'),
    new Error('timeout exceeded when trying to connect'),
  ];
  for (const error of failures) expect(describeFailure(error).message).toMatch(/\.\/bridge (runbook [a-z]+|migrate)$/);
});

test.each([
  [coded('connect ECONNREFUSED 10.0.0.1:5432', 'ECONNREFUSED'), 'POSTGRESQL_AWAY', 1],
  [new Error('timeout exceeded when trying to connect'), 'POSTGRESQL_AWAY', 1],
  [Object.assign(coded('two faults', 'CONFIGURATION_FAULTY'), { exitCode: 78 }), 'CONFIGURATION_FAULTY', 78],
  [new CommandError('SCOPE_UNKNOWN', 'which?', 2), 'SCOPE_UNKNOWN', 2],
])('%s is %s and exits with %i', (error, code, exitCode) => {
  expect(describeFailure(error)).toMatchObject({ code, exitCode });
});

test('a table in a failure keeps its columns: the name of the program does not shift its heading', () => {
  const output = createOutput({ timeZone: 'UTC', stream: listener(undefined) });
  const table = `Payment  Verdict\ncs_1     parked\nNobody is here to be asked.`;
  expect(failureText({ message: table }, output)).toBe(`bridge:\n${table}`);
  expect(failureText({ message: 'There is no replay 999.' }, output)).toBe('bridge: There is no replay 999.');
  const faults = 'The configuration is faulty:\n  DATABASE_URL  is missing';
  expect(failureText({ message: faults }, output)).toBe(`bridge: ${faults}`);
});

test('a long sentence of a failure is folded for a terminal and stays one line elsewhere', () => {
  const message = 'several words '.repeat(12).trim();
  const text = (columns: number | undefined): string =>
    failureText({ message }, createOutput({ timeZone: 'UTC', stream: listener(columns) }));
  expect(text(undefined)).toBe(`bridge: ${message}`);
  expect(
    text(80)
      .split('\n')
      .map((line) => line.length <= 80),
  ).toEqual([true, true, true]);
});
