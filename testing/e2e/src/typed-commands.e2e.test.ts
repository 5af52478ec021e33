// Every form of command that README, docs and runbooks tell people to type is run here, against a bridge that lives.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, type Database, rows } from '@bridge/database';
import { eventually, runBridge } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type BridgeStand, startBridge } from './bridge-stand';
import { wordsOf } from './words-of';

const root = join(__dirname, '../../..');
/** For whatever is waited for; a slow machine needs a part of it. */
const PATIENCE_MS = 120_000;

/** Options whose value makes another form; of all others the name alone counts. */
const TELLING = new Set(['--as', '--state', '--settle-older']);

/** An outline such as `close [DAY]` or `effects show ID`: the ways through it are looked at, not its words. */
const isOutline = (line: string): boolean =>
  /[[|<…]|\b[A-Z]{2,}\b/.test(line.replace(/"[^"]*"/g, '""').replace(/\b[A-Z]+_[A-Z_]+\b/g, 'code'));

/** What is typed, without what is only an example in it: `effects resolve # --as done --why`. */
function formOf(line: string): string {
  const [, ...words] = wordsOf(line.replace(/ [>|&].*$/, ''));
  const form: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', value] = words.slice(at, at + 2);
    if (!word.startsWith('--')) form.push(/^[a-z][a-z-]+$/.test(word) ? word : '#');
    else {
      form.push(TELLING.has(word) && value !== undefined ? `${word} ${value}` : word);
      if (value !== undefined && !value.startsWith('--')) at += 1;
    }
  }
  return form.join(' ');
}

/** `effects list|show` has two ways through it. */
function waysThrough(line: string): string[] {
  const words = line.split(' ').slice(1);
  const end = words.findIndex((word) => !/^[a-z]+([|][a-z]+)*$/.test(word));
  return (end === -1 ? words : words.slice(0, end)).reduce<string[]>(
    (ways, word) => ways.flatMap((way) => word.split('|').map((one) => (way === '' ? one : `${way} ${one}`))),
    [''],
  );
}

const pages = globSync(
  ['README.md', 'CONTRIBUTING.md', 'docs/*.md', 'filemaker/*.md', 'packages/operations/runbooks/*.md'],
  { cwd: root },
);
const typed = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/^ *(?:\$ )?(?:sudo -u bridge )?(\.\/bridge [^\n]+)$/gm)].map(([, line = '']) =>
    line.replace(/\s+#.*$/, '').replace(/\s{2,}.*$/, ''),
  );
  const inline = [...text.matchAll(/`(\.\/bridge [^`\n]+)`/g)].map(([, line = '']) => line);
  return [...blocks, ...inline].flatMap((line) =>
    isOutline(line) ? waysThrough(line).map((form) => ({ page, line, form })) : [{ page, line, form: formOf(line) }],
  );
});

/** Not run here: why, and who does. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  up: 'stays up until it is told to end: packages/cli/src/up.e2e.test.ts',
  init: 'asks on a terminal: packages/cli/src/init.e2e.test.ts',
  'init --force': 'writes .env and bridge.yaml where it stands: packages/cli/src/init.e2e.test.ts',
  rehearse: 'starts a bridge of its own: testing/rehearsal/src/rehearsal.e2e.test.ts',
  'doctor --fix': 'changes the endpoint at Stripe: packages/cli/src/doctor.e2e.test.ts',
};

interface Payment {
  session: string;
  /** Its effect, or its event that waits. */
  waits: string;
}
interface Facts {
  /** Paid and applied, for invoice 18637. */
  applied: string;
  appliedEvent: string;
  /** Payments of the same invoice, whose effects wait. */
  second: Payment[];
  /** Payments that name no invoice, whose events wait. */
  nameless: Payment[];
  /** Names invoice 20500; no webhook came. */
  wrong: string;
  /** Payments that nobody told of. */
  findings: string[];
  /** The replay of `wrong`, shown and not sent. */
  plan: string;
  yesterday: string;
}
interface Recipe {
  words: string | ((facts: Facts) => string);
  code: number;
  /** What stands there for a person. */
  says: RegExp;
  /** On standard input. */
  input?: string;
}

function at<Value>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new Error(`There is no value ${index} of ${values.length}`);
  return value;
}
const hourAgo = new Date(Date.now() - 3_1_500_000).toISOString();

/** They change nothing that another one shows, and run two at a time. */
const READS: Readonly<Record<string, Recipe>> = {
  status: { words: 'status', code: 1, says: /second-payment|18637/ },
  doctor: { words: 'doctor', code: 1, says: /PostgreSQL/ },
  migrate: { words: 'migrate', code: 0, says: /./ },
  close: { words: 'close', code: 0, says: /./ },
  'effects list': { words: 'effects list', code: 0, says: /Mark invoice 18637 paid/ },
  'effects list --state parked': { words: 'effects list --state parked', code: 0, says: /Mark invoice 18637 paid/ },
  'effects list --state planned': { words: 'effects list --state planned', code: 0, says: /./ },
  'effects list --state unknown': { words: 'effects list --state unknown', code: 0, says: /./ },
  'effects show #': { words: ({ second }) => `effects show ${at(second, 0).waits}`, code: 0, says: /paid before/ },
  'events list': { words: 'events list', code: 0, says: /evt_[\s\S]*Older ones/ },
  'events list --state ignored': { words: 'events list --state ignored', code: 0, says: /./ },
  'events list --state parked': { words: 'events list --state parked', code: 0, says: /parked\s+evt_/ },
  'events list --state received': { words: 'events list --state received', code: 0, says: /./ },
  'events rejections': { words: 'events rejections', code: 0, says: /./ },
  'events show #': { words: ({ appliedEvent }) => `events show ${appliedEvent}`, code: 0, says: /processed/ },
  'events show # --body': {
    words: ({ appliedEvent }) => `events show ${appliedEvent} --body`,
    code: 0,
    says: /"object"/,
  },
  'filemaker check': { words: 'filemaker check', code: 0, says: /It works/ },
  'filemaker check --sessions': { words: 'filemaker check --sessions', code: 0, says: /5 of 5 at once/ },
  'filemaker sessions': { words: 'filemaker sessions', code: 0, says: /./ },
  golive: { words: 'golive', code: 0, says: /./ },
  'adopt --help': { words: 'adopt --help', code: 0, says: /Usage/ },
  'init --help': { words: 'init --help', code: 0, says: /Usage/ },
  'prove #': { words: ({ applied }) => `prove ${applied}`, code: 0, says: /applied once in FileMaker/ },
  'prove # --html': { words: ({ applied }) => `prove ${applied} --html proof.html`, code: 0, says: /proof\.html/ },
  'prove # --json': {
    words: ({ second }) => `prove effect:${at(second, 0).waits} --json`,
    code: 1,
    says: /"verdicts"/,
  },
  report: { words: 'report', code: 0, says: /1 payment|Total/ },
  'report --month --csv': {
    words: `report --month ${hourAgo.slice(0, 7)} --csv month.csv`,
    code: 0,
    says: /month\.csv/,
  },
  'report --since --json': { words: `report --since ${hourAgo.slice(0, 10)} --json`, code: 0, says: /"openDays"/ },
  'runbook #': { words: 'runbook FILEMAKER_CREDENTIALS', code: 0, says: /password/ },
  'runbook second-payment': { words: 'runbook second-payment', code: 0, says: /second time/ },
  'replay # --dry-run': { words: ({ wrong }) => `replay ${wrong} --dry-run`, code: 0, says: /would apply/ },
  'replay # --invoice --dry-run': {
    words: ({ nameless }) => `replay ${at(nameless, 0).session} --invoice 18637 --dry-run`,
    code: 1,
    says: /Second payment of invoice 18637:\s+cs_[\s\S]*--override --why/,
  },
  'user list': { words: 'user list', code: 0, says: /./ },
  'user add ada --print-hash': {
    words: 'user add ada --print-hash',
    code: 0,
    says: /ada:/,
    input: 'a long enough password\n',
  },
  'reconcile invoices --since --dry-run': {
    words: `reconcile invoices --since ${hourAgo} --dry-run`,
    code: 1,
    says: /paid-not-recorded/,
  },
};

/** In chains beside each other, each in its order. What asks on a terminal is run with --yes: nobody sits here. */
const CHAINS: readonly Readonly<Record<string, Recipe>>[] = [
  {
    'findings list': { words: 'findings list', code: 0, says: /can be replayed/ },
    'findings list --state all': { words: 'findings list --state all', code: 0, says: /can be replayed/ },
    'findings show #': {
      words: ({ findings }) => `findings show ${at(findings, 0)}`,
      code: 0,
      says: /paid-not-recorded/,
    },
    'findings accept # --why': {
      words: ({ findings }) => `findings accept ${at(findings, 1)} --why "seen"`,
      code: 0,
      says: /Accepted: paid-not-recorded/,
    },
    'reconcile invoices --since': {
      words: `reconcile invoices --since ${hourAgo} --yes`,
      code: 1,
      says: /Replayed: 1\. They go the way of every payment/,
    },
    'reconcile invoices': { words: 'reconcile invoices --dry-run', code: 0, says: /Checked \d+ of \d+/ },
    'events reprocess # --why': {
      words: ({ nameless }) => `events reprocess ${at(nameless, 1).waits} --why "metadata set"`,
      code: 0,
      says: /Will be read again/,
    },
    'replay # --invoice': {
      words: ({ nameless }) => `replay ${at(nameless, 1).session} --invoice 20600 --yes`,
      code: 0,
      says: /1 applied/,
    },
    'replay # --invoice --override --why': {
      words: ({ nameless }) => `replay ${at(nameless, 0).session} --invoice 18637 --override --why "told so" --yes`,
      code: 1,
      says: /parked[\s\S]*Invoice 18637 was paid before by cs_[\s\S]*It waits for you/,
    },
    'replay # --invoice --why --dry-run': {
      words: ({ nameless }) => `replay ${at(nameless, 0).session} --invoice 20601 --why "typing error" --dry-run`,
      code: 0,
      says: /would change invoice[\s\S]*goes to invoice 20601 instead/,
    },
    'replay # --invoice --why': {
      words: ({ nameless }) => `replay ${at(nameless, 0).session} --invoice 20601 --why "typing error" --yes`,
      code: 0,
      says: /1 applied/,
    },
    'replay # --invoice --by-hand --why': {
      words: ({ nameless }) => `replay ${at(nameless, 0).session} --invoice 20602 --by-hand --why "moved" --yes`,
      code: 0,
      says: /1 recorded/,
    },
    'replay --resume #': { words: ({ plan }) => `replay --resume ${plan}`, code: 0, says: /Send exactly this with/ },
    'replay --cancel #': { words: ({ plan }) => `replay --cancel ${plan}`, code: 0, says: /It is given up/ },
  },
  {
    'effects resolve # --as cancelled --why': {
      words: ({ second }) => `effects resolve ${at(second, 0).waits} --as cancelled --why "refunded"`,
      code: 0,
      says: /Cancelled: Mark invoice 18637 paid/,
    },
    'effects resolve # --as done --why': {
      words: ({ second }) => `effects resolve ${at(second, 1).waits} --as done --why "seen in FileMaker"`,
      code: 0,
      says: /by your word/,
    },
    'effects resolve # --as again --why': {
      words: ({ second }) => `effects resolve ${at(second, 2).waits} --as again --why "second instalment"`,
      code: 0,
      says: /FileMaker's log is asked first/,
    },
    'resume stripe --why': { words: 'resume stripe --why "key is set"', code: 1, says: /Nothing to resume/ },
    'resume script # --why': {
      words: 'resume script STRIPE_PAYMENTLINK_SUCCESS --why "restored"',
      code: 1,
      says: /Nothing to resume/,
    },
    'close #': { words: ({ yesterday }) => `close ${yesterday}`, code: 0, says: /was closed before/ },
    'close # --html': { words: ({ yesterday }) => `close ${yesterday} --html day.html`, code: 0, says: /day\.html/ },
    'close # --json': { words: ({ yesterday }) => `close ${yesterday} --json`, code: 0, says: /"head"/ },
    'close --verify': { words: 'close --verify', code: 0, says: /The chain holds: 1 day/ },
    'forget # --why': {
      words: 'forget nobody@example.org --why "asked to" --yes',
      code: 1,
      says: /Nothing here is known of this customer/,
    },
    'golive --settle-older done --why': {
      words: 'golive --settle-older done --why "booked before" --yes',
      code: 0,
      says: /Settled: 0/,
    },
  },
];
/** They hold up or turn the whole bridge. */
const LAST: Readonly<Record<string, Recipe>> = {
  'pause filemaker --why': { words: 'pause filemaker --why "update"', code: 0, says: /Paused: filemaker/ },
  'resume filemaker --why': { words: 'resume filemaker --why "over"', code: 0, says: /Resumed: filemaker/ },
  'golive --at --why': {
    words: `golive --at ${hourAgo} --why "the old handler is off" --yes`,
    code: 0,
    says: /Live: the bridge acts on money from/,
  },
  'adopt --why': { words: 'adopt --why "a new account" --yes', code: 0, says: /Adopted/ },
};

const RECIPES: Readonly<Record<string, Recipe>> = Object.assign({}, READS, ...CHAINS, LAST);
/** A command that is only named in a sentence: some recipe runs it with all that it needs. */
const isNamed = (form: string, forms: readonly string[]): boolean =>
  forms.some((one) => `${one.replaceAll('# ', '')} `.startsWith(`${form} `));

test('every form that a page names has its run here, or its place elsewhere, and no run is for a form that no page names', () => {
  const known = [...Object.keys(RECIPES), ...Object.keys(ELSEWHERE)];
  const unknown = typed.filter(({ form }) => form !== '' && !known.includes(form) && !isNamed(form, known));
  expect(unknown).toEqual([]);
  const forms = typed.map(({ form }) => form);
  const unnamed = known.filter((one) => !forms.some((form) => form === one || (form !== '' && isNamed(form, [one]))));
  expect(unnamed).toEqual([]);
  expect(typed.length).toBeGreaterThan(120);
});

let stand: BridgeStand;
let database: Database;
let folder: string;
let facts: Facts;
let env: Record<string, string>;

interface Sale {
  sessionId: string;
  eventIds: string[];
}
const sell = (sale: object): Promise<Sale> => stand.stripe.ask('POST', '/sales', sale);

async function idOf(what: string, query: ReturnType<typeof sql>): Promise<string> {
  return eventually(what, async () => (await rows<{ id: string }>(database.executor, query))[0]?.id, {
    withinMs: PATIENCE_MS,
    tell: stand.tail,
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bridge-typed-'));
  const before = { RECONCILE_FROM: new Date(Date.now() - 2 * 86_400_000).toISOString() };
  stand = await startBridge({ workers: 1, env: before, filemaker: { scriptMs: 1 } });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 2, applicationName: 'typed-commands' });
  env = {
    ...before,
    DATABASE_URL: stand.databaseUrl,
    REDIS_URL: stand.redis.url,
    STRIPE_API_KEY: 'sk_test_simulator',
    STRIPE_API_BASE: stand.stripe.url,
    STRIPE_WEBHOOK_SECRETS: stand.webhookSecret,
    FILEMAKER_URL: stand.filemaker.url,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_HANDOFF_LAYOUT: 'bridge_handoff',
  };
  // The bridge is three days old, so that there is a day to close.
  await database.executor.execute(
    sql`update installation.installation set first_migrated_at = now() - interval '3 days'`,
  );
  const first = await sell({ invoiceId: '18637' });
  await stand.applied(1, PATIENCE_MS);
  const sales: Sale[] = [];
  for (let count = 0; count < 3; count += 1) sales.push(await sell({ invoiceId: '18637' }));
  const without: Sale[] = [];
  for (let count = 0; count < 2; count += 1) without.push(await sell({}));
  const wrong = await sell({ invoiceId: '20500', deliver: false });
  const halfAnHourAgo = Math.floor(Date.now() / 1_000) - 1_800;
  for (const invoiceId of ['20700', '20701']) await sell({ invoiceId, deliver: false, created: halfAnHourAgo });
  const second: Payment[] = [];
  for (const { sessionId: session } of sales) {
    const key = `invoice-paid:${session}`;
    const waits = await idOf(
      `${key} parked`,
      sql`select id from effects.effects where key = ${key} and state = 'parked'`,
    );
    second.push({ session, waits });
  }
  const nameless: Payment[] = [];
  for (const { sessionId: session, eventIds } of without) {
    const ids = sql.param(eventIds);
    const waits = await idOf(
      `${session} parked`,
      sql`select id from inbox.events where event_id = any(${ids}::text[]) and state = 'parked'`,
    );
    nameless.push({ session, waits });
  }
  const appliedEvent = await idOf(
    'the event of the first payment',
    sql`select event_id as id from inbox.events where event_id = any(${sql.param(first.eventIds)}::text[]) and state = 'processed'`,
  );
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  facts = {
    applied: first.sessionId,
    appliedEvent,
    second,
    nameless,
    wrong: wrong.sessionId,
    findings: [],
    plan: '',
    yesterday,
  };
}, 300_000);
afterAll(async () => {
  await database?.close();
  await stand?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

/** As a person would, in a folder of its own. Undefined: as it should be. */
async function fault(form: string, recipe: Recipe): Promise<string | undefined> {
  const line = typeof recipe.words === 'string' ? recipe.words : recipe.words(facts);
  const { code, text } = await runBridge(
    wordsOf(line),
    { HOME: folder, ...env },
    { cwd: folder, timeoutMs: PATIENCE_MS, ...(recipe.input === undefined ? {} : { input: recipe.input }) },
  );
  const isCrash =
    /\n\s+at .*\.(ts|js):\d+/.test(text) || /internal error|unexpected|error: (unknown|missing)/i.test(text);
  return code === recipe.code && recipe.says.test(text) && !isCrash
    ? undefined
    : `${form}: ./bridge ${line} ended with ${code} instead of ${recipe.code}, or does not say ${recipe.says}:\n${text}`;
}

async function faultsOf(recipes: Iterable<readonly [string, Recipe]>): Promise<string[]> {
  const faults: string[] = [];
  for (const [form, recipe] of recipes) {
    const found = await fault(form, recipe);
    if (found !== undefined) faults.push(found);
  }
  return faults;
}

test('every command that only shows something does it, ends as it should and says what it is there for', async () => {
  // One iterator for both hands: each takes the next.
  const left = Object.entries(READS).values();
  const faults = await Promise.all([faultsOf(left), faultsOf(left)]);
  expect(faults.flat().join('\n\n')).toBe('');
}, 1_500_000);

test('every command that changes something does it, in the order in which a person would come to it', async () => {
  const open = sql`select id from reconciliation.findings where state = 'open' order by id`;
  facts.findings = (await rows<{ id: string }>(database.executor, open)).map(({ id }) => id);
  facts.plan = await idOf(
    'a plan that is shown',
    sql`select plan_id as id from operations.replay_items where object_id = ${facts.wrong} and verdict = 'would-apply'`,
  );
  const faults = await Promise.all(CHAINS.map((chain) => faultsOf(Object.entries(chain))));
  faults.push(await faultsOf(Object.entries(LAST)));
  expect(faults.flat().join('\n\n')).toBe('');
}, 1_500_000);
