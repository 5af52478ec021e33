import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type EndedCommand, runBridge } from '@bridge/test-services';
import { wordsOf } from './words-of';

/**
 * What scripts, service managers and people may rely on at the command line: the commands and their exit codes, one JSON
 * document where one is asked for, and nothing beside it. The command line as it was built, one database, no peers.
 */
// A few dozen commands as processes; minutes on a machine that is busy with other things.
jest.setTimeout(600_000);
/** Commands at once: on a small machine more of them only wait for each other. */
const AT_ONCE = 3;

const PROMISED = [
  'init',
  'migrate',
  'up',
  'status',
  'doctor',
  'events list',
  'events show',
  'events reprocess',
  'effects list',
  'effects show',
  'effects resolve',
  'replay',
  'reconcile',
  'golive',
  'adopt',
  'prove',
  'close',
  'pause',
  'resume',
  'filemaker sessions',
  'filemaker check',
  'forget',
  'report',
  'user add',
  'user list',
  'rehearse',
];
const SENTENCE = expect.stringMatching(/\S/);
const WRONG_USAGE = { error: { code: 'WRONG_USAGE', message: SENTENCE } };

let folder: string;
let url: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-contract-'));
  ({ url, drop } = await createTestDatabase());
});
afterAll(async () => {
  await drop?.();
  rmSync(folder, { recursive: true, force: true });
});

const bridge = (line: string): Promise<EndedCommand> =>
  runBridge(wordsOf(line), { DATABASE_URL: url }, { cwd: folder });

/** `./bridge rehearse` as the launcher starts it in a checkout of the source: a program of its own. */
async function rehearse(...words: string[]): Promise<Pick<EndedCommand, 'code' | 'out'>> {
  const program = join(__dirname, '../../rehearsal/dist/main.js');
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'ignore'], timeout: 180_000 });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    out += piece;
  });
  const [code] = await once(child, 'close');
  return { code, out };
}

/** What each gives, a few at a time, in their order. */
async function each<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const left = [...items.entries()];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) results[next[0]] = await work(next[1]);
    }),
  );
  return results;
}

/** The one document on standard output; what is none is shown as it is. */
function documentOf(out: string): unknown {
  try {
    return JSON.parse(out);
  } catch {
    return `not one JSON document: ${out.slice(0, 500)}`;
  }
}
const asked = async (line: string) => {
  const { code, out } = await bridge(`${line} --json`);
  return { line, code, document: documentOf(out) };
};

test('every promised command explains itself with an example of its own, on standard output, and exits 0', async () => {
  const seen = await each(PROMISED, async (command) => {
    const { code, out, err } = await bridge(`${command} --help`);
    const isShown = /\nExamples:\n/.test(out) && out.includes(`./bridge ${command}`);
    return { command, code, err, json: out.includes('--json'), example: isShown };
  });
  expect(seen).toEqual(PROMISED.map((command) => ({ command, code: 0, err: '', json: true, example: true })));
  const [listed, rehearsal] = await Promise.all([bridge('--help'), rehearse('--help')]);
  expect([listed.code, rehearsal.code]).toEqual([0, 0]);
  expect(rehearsal.out).toMatch(/--json[\s\S]*\nExamples:\n {2}\$ \.\/bridge rehearse /);
  for (const command of PROMISED) expect(listed.out).toMatch(new RegExp(`^ {2}${command.split(' ')[0]}\\b`, 'm'));
});

/** A way to type wrongly for each way to find it: by the line alone, by a value, by a command of its own. */
const MISTYPED = [
  'nonsense',
  'filemaker session',
  'user list all',
  'doctor --fiks',
  'events show',
  'pause filemaker',
  'init --mode dead',
  'close 2026-02-30',
  'golive --at tomorrow',
  'adopt --why " "',
  'report --month 2026-11 --since 2026-11-01',
  'report --since 2026-11-02 --until 2026-11-01',
];
test('wrong usage exits 2 and is said in one JSON document, whichever command it is', async () => {
  const seen = await each(MISTYPED, asked);
  expect(seen).toEqual(MISTYPED.map((line) => ({ line, code: 2, document: WRONG_USAGE })));
  const rehearsals = await each(
    [
      ['--json', 'nonsense'],
      ['--seed', '--json'],
    ],
    (words) => rehearse(...words),
  );
  expect(rehearsals.map(({ code, out }) => [code, documentOf(out)])).toEqual([
    [2, WRONG_USAGE],
    [2, WRONG_USAGE],
  ]);
});

test('with --json every command prints one document and nothing else, however it ends, and its exit code says how', async () => {
  const migrated = await asked('migrate');
  expect(migrated).toMatchObject({ code: 0, document: { applied: expect.arrayContaining([expect.any(String)]) } });
  // Not before the first migration: going back would make payments the bridge's that were not.
  const later = new Date(Date.now() + 3_600_000).toISOString();
  // None of them changes what another one shows.
  const failed = (code: string) => ({ error: { code, message: SENTENCE } });
  const lines: [line: string, code: number, document: object][] = [
    // Nobody can be asked, and nothing that is recorded changes its fate: they go on without --yes and without a reason.
    [`golive --at ${later}`, 0, { live: true, at: later, asked: 0, goesOn: 0 }],
    ['adopt', 0, { adopted: true }],
    ['pause script "MARK AS PAID" --why x', 0, { scope: 'script:MARK AS PAID', paused: true }],
    ['pause notices --why x', 0, { scope: 'notices', paused: true }],
    ['pause flow nope --why x', 2, failed('FLOW_UNKNOWN')],
    ['pause everything --why x', 2, failed('SCOPE_UNKNOWN')],
    ['resume filemaker --why x', 1, { scope: 'filemaker', lifted: 0 }],
    ['reconcile nope', 2, failed('RECONCILE_USAGE')],
    ['reconcile invoices --dry-run', 1, failed('NO_WORKER')],
    ['replay cs_1 --dry-run', 1, failed('NO_WORKER')],
    ['prove cs_1', 1, { found: false, id: 'cs_1' }],
    ['close', 0, { number: 1, timeZone: 'UTC' }],
    ['report', 0, { rows: [], totals: [] }],
    ['doctor', 1, { sections: expect.any(Array) }],
    ['filemaker sessions', 0, { sessions: [], fine: true }],
    ['filemaker check', 78, failed('FILEMAKER_NOT_CONFIGURED')],
    ['forget nobody', 2, failed('CUSTOMER_UNFIT')],
    ['user add bob', 2, failed('PASSWORD_UNFIT')],
    ['init', 2, failed('ANSWERS_MISSING')],
    ['up', 78, failed('CONFIGURATION_FAULTY')],
  ];
  expect(await each(lines, ([line]) => asked(line))).toEqual(
    lines.map(([line, code, document]) => ({ line, code, document: expect.objectContaining(document) })),
  );
  const { code, out } = await rehearse('--list', '--json');
  expect([code, documentOf(out)]).toEqual([0, expect.any(Array)]);
});
