import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { parseEnv, stripVTControlCharacters } from 'node:util';
import type { FileMakerSeen, StripeSeen } from '@bridge/operations';
import type { InitPeers } from '../init/answers';
import { createOutput } from '../output';
import type { Prompter } from '../prompter';
import { runInit } from './init';

let folder: string;
const environment = { ...process.env };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-init-'));
  for (const name of Object.keys(process.env)) {
    if (/^(STRIPE|FILEMAKER|DATABASE|REDIS|MODE|BRIDGE)/.test(name)) delete process.env[name];
  }
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  Object.assign(process.env, environment);
});

/** Answers by the beginning of the question; every question must be foreseen. */
function person(answers: Record<string, string | string[]>): Prompter & { said: string[]; hidden: string[] } {
  const said: string[] = [];
  const hidden: string[] = [];
  const answer = async (question: string): Promise<string> => {
    const found = Object.entries(answers).find(([beginning]) => question.trimStart().startsWith(beginning));
    if (found === undefined) throw new Error(`not foreseen: ${question}`);
    const [, given] = found;
    if (typeof given === 'string') return given;
    const next = given.shift();
    if (next === undefined) throw new Error(`asked too often: ${question}`);
    return next;
  };
  return {
    said,
    hidden,
    say: (text) => said.push(text),
    ask: (question) => {
      said.push(question);
      return answer(question);
    },
    askHidden: (question) => {
      hidden.push(question);
      return answer(question);
    },
  };
}

const FILE: FileMakerSeen = {
  kind: 'seen',
  version: '22.0.4',
  layouts: ['bridge_handoff', 'bridge_log', 'web_invoices', 'web_products'],
  scripts: ['Print', 'STRIPE_PAYMENTLINK_SUCCESS'],
};
const SHOP: StripeSeen = { kind: 'account', id: 'acct_1', name: 'Brace Shop' };
function peers(stripe: StripeSeen[] = [SHOP], filemaker: FileMakerSeen[] = [FILE]): InitPeers & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    lookAtStripe: async ({ apiKey }) => {
      asked.push(apiKey);
      return stripe.shift() ?? SHOP;
    },
    lookAtFileMaker: async ({ password }) => {
      asked.push(password);
      return filemaker.shift() ?? FILE;
    },
  };
}

const ANSWERS = {
  'PostgreSQL 15': '',
  'Redis or': '',
  'Stripe key': 'rk_test_abc',
  'Signing secret': 'whsec_1',
  'FileMaker Server': 'https://fm.example.com',
  'FileMaker file': 'Shop',
  'Account in': 'bridge',
  'Its password': 'secret word',
  'Number or name': '',
  'Begin with': '',
};
const written = (): Record<string, string | undefined> => parseEnv(readFileSync(join(folder, '.env'), 'utf8'));

test('a person answers, sees whose key it is and what the account sees, and takes what is proposed', async () => {
  const prompter = person(ANSWERS);
  const result = await runInit({ folder }, prompter, peers());
  expect(result.fine).toBe(true);
  expect(prompter.said).toContain('  A test key of "Brace Shop" (acct_1).');
  expect(prompter.said).toContain('  FileMaker Server 22.0.4, file Shop: the account sees 4 layouts and 2 scripts.');
  expect(prompter.hidden).toEqual([
    'Stripe key, restricted (rk_…) or secret (sk_…): ',
    expect.stringMatching(/^Signing secret/),
    'Its password: ',
  ]);
  expect(written()).toMatchObject({
    STRIPE_API_KEY: 'rk_test_abc',
    FILEMAKER_PASSWORD: 'secret word',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
    MODE: 'observe',
  });
  const yaml = readFileSync(join(folder, 'bridge.yaml'), 'utf8');
  expect(yaml).toContain('layout: "web_invoices"');
  expect(yaml).toContain('script: "STRIPE_PAYMENTLINK_SUCCESS"');
  expect(JSON.stringify(prompter.said)).not.toMatch(/secret word|rk_test_abc|whsec_1/);
});

test('the Stripe that the key is shown to is the Stripe that the bridge talks to afterwards', async () => {
  const bases: (string | undefined)[] = [];
  const looked: InitPeers = {
    ...peers(),
    lookAtStripe: async ({ apiBase }) => {
      bases.push(apiBase);
      return SHOP;
    },
  };
  process.env.STRIPE_API_BASE = 'http://127.0.0.1:12111';
  await runInit({ folder }, person(ANSWERS), looked);
  expect(written().STRIPE_API_BASE).toBe('http://127.0.0.1:12111');
  // One that only the file of before knows is kept, and asked as well.
  delete process.env.STRIPE_API_BASE;
  const { 'Stripe key': _key, ...rest } = ANSWERS;
  await runInit({ folder, force: true }, person(rest), looked);
  expect(written().STRIPE_API_BASE).toBe('http://127.0.0.1:12111');
  // Nobody names a stand-in: none is written, so that it is Stripe's own.
  rmSync(join(folder, '.env'));
  await runInit({ folder, force: true }, person(ANSWERS), looked);
  expect(written()).not.toHaveProperty('STRIPE_API_BASE');
  expect(bases).toEqual(['http://127.0.0.1:12111', 'http://127.0.0.1:12111', undefined]);
});

test('other names are chosen by number, and a plain script without hand-off is possible', async () => {
  const prompter = person({ ...ANSWERS, 'Number or name': ['1', '4', '0', '0'] });
  const result = await runInit({ folder }, prompter, peers());
  expect(written()).not.toHaveProperty('FILEMAKER_LOG_LAYOUT');
  expect(written()).not.toHaveProperty('FILEMAKER_HANDOFF_LAYOUT');
  const yaml = readFileSync(join(folder, 'bridge.yaml'), 'utf8');
  expect(yaml).toContain('layout: "web_products"');
  expect(yaml).toContain('script: "Print"');
  expect(result.json).toMatchObject({ contract: 'plain' });
});

test('a key that Stripe does not know is asked for again, three times in all', async () => {
  const refused: StripeSeen = { kind: 'refused', reason: 'Stripe does not know this key.' };
  const keys = ['rk_test_a', 'rk_test_b'];
  const looked = peers([refused, SHOP]);
  await runInit({ folder }, person({ ...ANSWERS, 'Stripe key': keys }), looked);
  expect(looked.asked.slice(0, 2)).toEqual(['rk_test_a', 'rk_test_b']);
  expect(written().STRIPE_API_KEY).toBe('rk_test_b');
  rmSync(join(folder, '.env'));
  rmSync(join(folder, 'bridge.yaml'));
  const stubborn = peers([refused, refused, refused, refused]);
  await runInit({ folder }, person({ ...ANSWERS, 'Stripe key': ['rk_test_a', 'rk_test_b', 'rk_test_c'] }), stubborn);
  expect(stubborn.asked.filter((one) => one.startsWith('rk_'))).toHaveLength(3);
});

test('a refused login is asked for again, and never so often that FileMaker locks the account', async () => {
  const refused: FileMakerSeen = { kind: 'failed', about: 'login', reason: 'FileMaker does not accept it.' };
  const looked = peers([], [refused, refused, refused, refused]);
  const prompter = person({
    ...ANSWERS,
    'Account in': ['bridge', 'bridge', 'bridge'],
    'Its password': ['one', 'two', 'three'],
  });
  await runInit({ folder }, prompter, looked);
  expect(looked.asked.slice(1)).toEqual(['one', 'two', 'three']);
  // Names are taken as they are typed; nothing could be listed.
  expect(prompter.said.some((line) => line.includes('./bridge filemaker check'))).toBe(true);
  expect(written().FILEMAKER_PASSWORD).toBe('three');
});

test('a server that is away stops nobody', async () => {
  const away: FileMakerSeen = { kind: 'failed', about: 'server', reason: 'The server cannot be reached.' };
  const { 'Number or name': _none, ...rest } = ANSWERS;
  const prompter = person(rest);
  const result = await runInit({ folder }, prompter, peers([{ kind: 'away', reason: 'No way (ENOTFOUND)' }], [away]));
  expect(result.fine).toBe(true);
  expect(prompter.said).toContain('  No way (ENOTFOUND). Going on without a look.');
  expect(readFileSync(join(folder, 'bridge.yaml'), 'utf8')).toContain('layout: "web_invoices"');
});

test('without a signing secret events are fetched, and no port is open', async () => {
  await runInit({ folder }, person({ ...ANSWERS, 'Signing secret': '' }), peers());
  expect(written()).toMatchObject({ STRIPE_DELIVERY: 'pull' });
  expect(written()).not.toHaveProperty('STRIPE_WEBHOOK_SECRETS');
});

test('what is there is written over only after a yes', async () => {
  writeFileSync(join(folder, '.env'), 'TIMEZONE=UTC\n');
  await expect(runInit({ folder }, person({ 'Write over': 'n' }), peers())).rejects.toMatchObject({
    code: 'FILE_EXISTS',
  });
  expect(readFileSync(join(folder, '.env'), 'utf8')).toBe('TIMEZONE=UTC\n');
  expect(existsSync(join(folder, 'bridge.yaml'))).toBe(false);
  await runInit({ folder }, person({ ...ANSWERS, 'Write over': 'y' }), peers());
  expect(written()).toMatchObject({ TIMEZONE: 'UTC', FILEMAKER_DATABASE: 'Shop' });
});

test('names that are given are not asked, and where all are given nobody looks', async () => {
  const { 'Number or name': _none, ...rest } = ANSWERS;
  const looked = peers();
  const names = { layout: 'L', script: 'S', logLayout: 'log', handoffLayout: 'hand' };
  await runInit({ folder, ...names }, person(rest), looked);
  expect(looked.asked).toEqual(['rk_test_abc']);
  expect(written()).toMatchObject({ FILEMAKER_LOG_LAYOUT: 'log', FILEMAKER_HANDOFF_LAYOUT: 'hand' });
});

test('--offline asks and contacts nobody', async () => {
  const { 'Number or name': _none, ...rest } = ANSWERS;
  const looked = peers();
  await runInit({ folder, offline: true }, person(rest), looked);
  expect(looked.asked).toEqual([]);
});

test('no line of the result is wider than the terminal, and none is broken where no terminal listens', async () => {
  const result = await runInit({ folder }, person({ ...ANSWERS, 'Number or name': ['1', '4', '0', '0'] }), peers());
  const linesFor = (isTTY: boolean): string[] => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream;
    return result
      .text(createOutput({ timeZone: 'UTC', stream }))
      .split('\n')
      .map(stripVTControlCharacters);
  };
  expect(linesFor(true).filter((line) => line.length > 80)).toEqual([]);
  expect(linesFor(false)).toContainEqual(expect.stringMatching(/^The script counts as plain .* Give --log-layout\.$/));
});
