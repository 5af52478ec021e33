import { inspect } from 'node:util';
import { checkOptions, FileMakerOptionsError } from './client-options';

const GOOD = { url: 'https://fm.example', database: 'Shop', username: 'bridge', password: 'pa:ss', timeoutMs: 60_000 };

function faultsOf(options: Partial<Parameters<typeof checkOptions>[0]>): readonly string[] {
  try {
    checkOptions({ ...GOOD, ...options });
    return [];
  } catch (error) {
    if (!(error instanceof FileMakerOptionsError)) throw error;
    return error.faults;
  }
}

test('a prefix is kept without its last slash, and defaults are filled in', () => {
  expect(checkOptions({ ...GOOD, url: 'https://fm.example:8443/proxy/' })).toMatchObject({
    origin: 'https://fm.example:8443',
    prefix: '/proxy',
    connectTimeoutMs: 5_000,
    keepAliveMs: 4_000,
    answerBytesMax: 8_388_608,
  });
});

test.each(['http://localhost:8080', 'http://127.0.0.1', 'http://127.8.9.1:1', 'http://[::1]:9'])(
  '%s is accepted for a stand-in on this machine',
  (url) => expect(faultsOf({ url })).toEqual([]),
);

test.each([
  'http://fm.example',
  'http://10.0.0.1',
  'http://localhost.example',
  'http://127.0.0.1.example',
  'http://[::2]',
])('%s is refused: the password would cross the network in the clear', (url) =>
  expect(faultsOf({ url }).join()).toContain('must begin with https://'),
);

test.each([
  ['url', { url: 'fm.example' }],
  ['url', { url: 'ftp://fm.example' }],
  ['url', { url: 'https://u:p@fm.example' }],
  ['url', { url: 'https://fm.example/?a=b' }],
  ['url', { url: 'https://fm.example/#a' }],
  ['database', { database: '' }],
  ['database', { database: 'a\udc00' }],
  ['username', { username: '' }],
  ['username', { username: 'a:b' }],
  ['ca', { ca: '' }],
  ['ca', { ca: '-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydA==\n-----END CERTIFICATE-----' }],
  ['timeoutMs', { timeoutMs: 0 }],
  ['timeoutMs', { timeoutMs: 2 ** 31 }],
  ['timeoutMs', { timeoutMs: 1.5 }],
  ['connectTimeoutMs', { connectTimeoutMs: Number.NaN }],
  ['answerBytesMax', { answerBytesMax: 0 }],
])('a faulty %s is refused: %j', (name, options) => {
  const faults = faultsOf(options);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(new RegExp(`^${name} `));
});

test('all faults stand in one message, and no value does', () => {
  const options = { url: 'https://top:secret@fm.example', database: '', username: 'who:knows', timeoutMs: -1 };
  let thrown: unknown;
  try {
    checkOptions({ ...GOOD, ...options, password: 'hush-hush' });
  } catch (error) {
    thrown = error;
  }
  const text = inspect(thrown);
  for (const name of ['url', 'database', 'username', 'timeoutMs']) expect(text).toContain(`${name} `);
  for (const value of ['secret', 'knows', 'hush-hush']) expect(text).not.toContain(value);
});
