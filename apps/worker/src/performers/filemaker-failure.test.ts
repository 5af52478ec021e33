import { FileMakerError } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import { outcomeOf, sessionAfter, tellGates } from './filemaker-failure';

type Judgement = ConstructorParameters<typeof FileMakerError>[0];
function failure(rest: Partial<Judgement> & Pick<Judgement, 'code' | 'stage' | 'resend'>): FileMakerError {
  return new FileMakerError(
    { meaning: 'as a test says', session: 'keep', circuit: false, ...rest },
    { endpoint: 'runScript' },
  );
}
const CASES: [string, FileMakerError, Record<string, unknown>][] = [
  ['unheard', failure({ code: 'FILEMAKER_UNHEARD', stage: 'unheard', resend: 'check' }), { kind: 'unknown' }],
  [
    'capacity on a call with effect',
    failure({ code: 'FILEMAKER_HOST_BUSY', stage: 'unheard', resend: 'check' }),
    { kind: 'unknown' },
  ],
  [
    'a halt on a create that may have run its script',
    failure({ code: 'FILEMAKER_FIELD_MISSING', stage: 'unheard', resend: 'check', halt: 'field-missing' }),
    { kind: 'unknown' },
  ],
  [
    'a duplicate, refused and yet to be looked up',
    failure({ code: 'FILEMAKER_DUPLICATE_VALUE', stage: 'refused', resend: 'check' }),
    { kind: 'unknown' },
  ],
  [
    'a missing script',
    failure({ code: 'FILEMAKER_SCRIPT_MISSING', stage: 'refused', resend: 'no', halt: 'script-missing' }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'web publishing off',
    failure({ code: 'FILEMAKER_PUBLISHING_OFF', stage: 'refused', resend: 'yes', circuit: true }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'no connection',
    failure({ code: 'FILEMAKER_NOT_SENT', stage: 'not-sent', resend: 'yes', circuit: true }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'the client is closing',
    failure({ code: 'FILEMAKER_NOT_SENT', stage: 'not-sent', resend: 'yes' }),
    { kind: 'refused', again: true, costs: false },
  ],
  [
    'a request that cannot be put into words',
    failure({ code: 'FILEMAKER_REQUEST_INVALID', stage: 'not-sent', resend: 'no' }),
    { kind: 'refused', again: false },
  ],
  [
    'no privileges',
    failure({ code: 'FILEMAKER_PRIVILEGES', stage: 'refused', resend: 'no' }),
    { kind: 'refused', again: false },
  ],
  [
    'a look without effect that heard nothing',
    failure({ code: 'FILEMAKER_UNAVAILABLE', stage: 'unheard', resend: 'yes', session: 'quarantine' }),
    { kind: 'refused', again: true },
  ],
  [
    'a record in use',
    failure({ code: 'FILEMAKER_RECORD_LOCKED', stage: 'refused', resend: 'yes' }),
    { kind: 'refused', again: true },
  ],
];

test.each(CASES)('%s', (_what, error, outcome) => {
  expect(outcomeOf(error, 0)).toMatchObject({ ...outcome, code: error.code });
});

test('a forgotten session is replaced at once the first time, and by the usual back-off after that', () => {
  const forgotten = failure({ code: 'FILEMAKER_INVALID_TOKEN', stage: 'refused', resend: 'yes', session: 'drop' });
  expect(outcomeOf(forgotten, 0)).toMatchObject({ kind: 'refused', again: true, costs: true, afterMs: 1 });
  expect(outcomeOf(forgotten, 1)).not.toHaveProperty('afterMs');
});

test('what is no error of the client is unknown, and its text, which might quote anything, is left out', () => {
  expect(outcomeOf(new TypeError('a@b.example'), 0)).toEqual({
    kind: 'unknown',
    code: 'FILEMAKER_CALL_FAILED',
    message: 'TypeError',
  });
  expect(sessionAfter(new TypeError('x'))).toBe('quarantine');
});

test('halts that one script causes stand on that script, all others on FileMaker, and a circuit is opened once told', async () => {
  const told: string[] = [];
  const gates = {
    halt: async (scope: string, cause: string) => void told.push(`halt ${scope} ${cause}`),
    openCircuit: async (peer: string) => void told.push(`circuit ${peer}`),
  } as unknown as Gates;
  const scope = { script: 'X', worker: 'w' };
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_LAYOUT_MISSING', stage: 'refused', resend: 'no', halt: 'layout-missing' }),
    scope,
  );
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_LICENCE', stage: 'refused', resend: 'no', halt: 'licence' }),
    scope,
  );
  await tellGates(
    gates,
    failure({ code: 'FILEMAKER_FILE_FAULT', stage: 'refused', resend: 'no', halt: 'file-fault', circuit: true }),
    scope,
  );
  await tellGates(gates, failure({ code: 'FILEMAKER_RECORD_LOCKED', stage: 'refused', resend: 'yes' }), scope);
  expect(told).toEqual([
    'halt script:X FILEMAKER_LAYOUT_MISSING',
    'halt filemaker FILEMAKER_LICENCE',
    'circuit filemaker',
    'halt filemaker FILEMAKER_FILE_FAULT',
  ]);
});

test('a full server burns no attempt: the effect waits and goes again', () => {
  const full = failure({ code: 'FILEMAKER_CAPACITY', stage: 'refused', resend: 'yes', session: 'keep' });
  expect(outcomeOf(full, 7)).toMatchObject({ kind: 'refused', again: true, costs: false, afterMs: 5_000 });
});
