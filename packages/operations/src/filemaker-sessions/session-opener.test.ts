import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import { createSessionOpener, sessionTokenKeys } from './session-opener';

type Judgement = ConstructorParameters<typeof FileMakerError>[0];
function failure(rest: Partial<Judgement>): FileMakerError {
  return new FileMakerError(
    {
      code: 'FILEMAKER_UNKNOWN_CODE',
      meaning: 'm',
      stage: 'refused',
      resend: 'yes',
      session: 'drop',
      circuit: false,
      ...rest,
    },
    { endpoint: 'login' },
  );
}
const opener = (client: Partial<FileMakerClient> = {}) => createSessionOpener(client as FileMakerClient);

test.each<[string, unknown, string]>([
  ['no room', failure({ code: 'FILEMAKER_CAPACITY' }), 'capacity'],
  ['a wrong password', failure({ code: 'FILEMAKER_CREDENTIALS', halt: 'credentials' }), 'credentials'],
  ['an account shut for a while', failure({ halt: 'login-attempts' }), 'credentials'],
  ['no connection', failure({ stage: 'not-sent', circuit: true }), 'unavailable'],
  ['a web server without FileMaker behind it', failure({ stage: 'unheard', circuit: true }), 'unavailable'],
  ['an answer that was lost', failure({ stage: 'unheard', session: 'quarantine', circuit: true }), 'unheard'],
  ['a refusal of its own', failure({ code: 'FILEMAKER_PRIVILEGES' }), 'other'],
  ['something that is no error of the client', new TypeError('x'), 'unheard'],
])('a login that met %s is told so', (_what, error, verdict) => {
  expect(opener().classify(error)).toBe(verdict);
});

test.each([
  [true, 'busy'],
  [false, 'free'],
  [undefined, 'untold'],
])('a session whose use is told as %s is %s', async (inUse, use) => {
  expect(await opener({ validateSession: async () => ({ inUse }) }).validate('t')).toBe(use);
});

test('a session that FileMaker does not know is gone, and closing it is no failure', async () => {
  const gone = () => Promise.reject(failure({ code: 'FILEMAKER_INVALID_TOKEN' }));
  const one = opener({ validateSession: gone, logout: gone });
  expect(await one.validate('t')).toBe('gone');
  await expect(one.close('t')).resolves.toBeUndefined();
});

test('a look or a logout that heard nothing is never taken for an answer', async () => {
  const lost = () => Promise.reject(failure({ stage: 'unheard', session: 'quarantine' }));
  const one = opener({ validateSession: lost, logout: lost });
  await expect(one.validate('t')).rejects.toBeInstanceOf(FileMakerError);
  await expect(one.close('t')).rejects.toBeInstanceOf(FileMakerError);
});

test('a refusal that meets every login is told once by its own name, and others are not', async () => {
  const told: string[] = [];
  const refusing = (error: Error) =>
    createSessionOpener({ login: () => Promise.reject(error) } as unknown as FileMakerClient, {
      onHalt: async ({ code }) => void told.push(code),
    });
  const licence = failure({ code: 'FILEMAKER_LICENCE', halt: 'licence' });
  await expect(refusing(licence).open()).rejects.toBe(licence);
  await expect(refusing(failure({ code: 'FILEMAKER_CAPACITY' })).open()).rejects.toThrow();
  await expect(refusing(new TypeError('x')).open()).rejects.toThrow(TypeError);
  expect(told).toEqual(['FILEMAKER_LICENCE']);
});

test('while FileMaker counts as away no session is looked at, and nothing is concluded from that', async () => {
  let away = true;
  let looks = 0;
  const validateSession = async () => {
    looks += 1;
    return { inUse: false };
  };
  const client = { validateSession } as unknown as FileMakerClient;
  const one = createSessionOpener(client, { isAway: () => away });
  const refused = await one.validate('t').catch((error: unknown) => error);
  expect([looks, one.classify(refused)]).toEqual([0, 'unheard']);
  away = false;
  expect([await one.validate('t'), looks]).toEqual(['free', 1]);
});

test('a look that met an absent FileMaker is known as that, so that the other sessions are not looked at as well', () => {
  const judgement = {
    code: 'FILEMAKER_UNAVAILABLE',
    meaning: 'm',
    stage: 'unheard',
    resend: 'yes',
    session: 'quarantine',
    circuit: true,
  } as const;
  expect(opener().classify(new FileMakerError(judgement, { endpoint: 'validateSession' }))).toBe('unavailable');
});

test('tokens are sealed with the keys that are given, and without any with one that follows from name and password', () => {
  const given = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const account = { username: 'bridge', password: 'secret', tokenKeys: undefined };
  expect(sessionTokenKeys({ ...account, tokenKeys: given })).toEqual(given);
  const [key] = sessionTokenKeys(account);
  expect(key).toHaveLength(32);
  expect(sessionTokenKeys({ ...account })).toEqual([key]);
  expect(sessionTokenKeys({ ...account, password: 'other' })).not.toEqual([key]);
});
