import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createDatabase, type Database, rows } from '@bridge/database';
import { readInstallation } from '@bridge/installation';
import { createProducer, type Producer, queuePrefix } from '@bridge/jobs';
import { eventually } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { type BridgeStand, startBridge } from './bridge-stand';

const HOOK = join(__dirname, '../dist/crash-hook.js');
const CLOSING = 'before-commit: transaction of operations.days, operations.day_entries, operations.day_mails';
/** Days are counted here. Another one shortly before midnight, so that no day ends in the middle of the test. */
const ZONE = new Date().getUTCHours() === 23 ? 'Asia/Tokyo' : 'UTC';
/** For what takes a second or two where nothing else is under way. */
const PATIENCE_MS = 120_000;
const SALES = 40;
const TWICE = 2;

interface Mailbox {
  url: string;
  letters: string[];
  /** False: takes the letter and never says so. */
  answers: boolean;
  arrival(): Promise<unknown>;
  server: Server;
}

/** A mail server that takes every letter and keeps it: just enough of SMTP, with no code in common with the bridge. */
async function startMailbox(): Promise<Mailbox> {
  const letters: string[] = [];
  const arrivals = new EventEmitter();
  const arrival = (): Promise<unknown> => {
    const letter = once(arrivals, 'letter', { signal: AbortSignal.timeout(PATIENCE_MS) });
    // Its failure is told where it is awaited, whatever fails before.
    letter.catch(() => undefined);
    return letter;
  };
  const mailbox = { letters, answers: true, arrival };
  const server = createServer((socket) => {
    let [pending, letter, inside] = ['', '', false];
    const say = (line: string): void => void socket.write(`${line}\r\n`);
    say('220 mailbox');
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      pending += chunk;
      for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 2);
        if (inside && line === '.') {
          letters.push(letter);
          [letter, inside] = ['', false];
          if (mailbox.answers) say('250 taken');
          arrivals.emit('letter');
        } else if (inside) letter += `${line}\n`;
        else if (/^DATA/i.test(line)) {
          inside = true;
          say('354 go on');
        } else if (/^QUIT/i.test(line)) {
          say('221 bye');
          socket.end();
        } else say('250 fine');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return Object.assign(mailbox, { url: `smtp://127.0.0.1:${port}`, server });
}

let stand: BridgeStand;
let database: Database;
let producer: Producer;
let mailbox: Mailbox;

beforeAll(async () => {
  mailbox = await startMailbox();
  stand = await startBridge({
    env: {
      SMTP_URL: mailbox.url,
      MAIL_FROM: 'Bridge <bridge@shop.example>',
      REPORT_EMAIL_TO: 'office@shop.example,ada@shop.example',
      CLOSE_DAY_AFTER_MINUTES: '0',
      TIMEZONE: ZONE,
    },
  });
  database = createDatabase({ url: stand.databaseUrl, poolMax: 1, applicationName: 'close-day-test' });
  const { id } = await readInstallation(database);
  producer = createProducer({ redisUrl: stand.redis.url, prefix: queuePrefix('bridge', id) });
  if (!producer.ready()) await once(producer.redis, 'ready');
}, 120_000);
afterAll(async () => {
  await producer?.close();
  await database?.close();
  await stand?.stop();
  mailbox?.server.close();
}, 120_000);

/** As the schedule would. */
const tick = (id: string): Promise<void> => producer.enqueue([{ queue: 'rounds', id, data: { task: 'close-day' } }]);
const one = async <Row extends object>(query: ReturnType<typeof sql>): Promise<Row[]> =>
  rows<Row>(database.executor, query);

test('a day of 40 payments and 2 parked ones is closed once and mailed once, with the worker killed in the middle', async () => {
  for (let sale = 0; sale < SALES; sale += 1)
    await stand.stripe.ask('POST', '/sales', { invoiceId: String(18_600 + sale) });
  await stand.applied(SALES, PATIENCE_MS);
  for (let again = 0; again < TWICE; again += 1)
    await stand.stripe.ask('POST', '/sales', { invoiceId: String(18_600 + again) });
  const parked = async (): Promise<number> =>
    (await one<{ n: number }>(sql`select count(*)::int as n from effects.effects where state = 'parked'`))[0]?.n ?? 0;
  await eventually('the second payments are parked', async () => (await parked()) >= TWICE);
  expect(await parked()).toBe(TWICE);
  const paid = (await stand.stripeBooks()).paidSessions;
  expect(paid).toHaveLength(SALES + TWICE);

  // Nobody waits for midnight here: all of it becomes yesterday's.
  const [worker] = stand.workers;
  await worker?.stop(60_000);
  await database.executor.execute(
    sql`update flow_invoices.payments set paid_at = date_trunc('day', now() at time zone ${ZONE}) at time zone ${ZONE} - interval '12 hours', succeeded_at = null`,
  );
  await database.executor.execute(
    sql`update installation.installation set first_migrated_at = now() - interval '3 days'`,
  );

  const dying = await stand.startWorker({ NODE_OPTIONS: `--require=${HOOK}`, CRASH_AT: CLOSING });
  await tick('tick-1');
  await dying.waitForLine((line) => line.includes('crash point reached'), PATIENCE_MS);
  expect(await dying.exited).toBe(137);
  expect(await one(sql`select day from operations.days`)).toEqual([]);
  expect(mailbox.letters).toEqual([]);

  const arrived = mailbox.arrival();
  await Promise.all([stand.startWorker(), stand.startWorker()]);
  await Promise.all(['tick-2', 'tick-3', 'tick-4'].map(tick));
  await arrived;
  await tick('tick-5');
  const settled = async () => one<{ state: string; tries: number }>(sql`select state, tries from operations.day_mails`);
  await eventually('the letter is sent', async () => (await settled())[0]?.state === 'sent');
  expect(await settled()).toEqual([{ state: 'sent', tries: 1 }]);

  const [day, ...others] = await one<{ contents: string; head: string }>(
    sql`select contents, encode(head, 'hex') as head from operations.days`,
  );
  expect(others).toEqual([]);
  const contents = JSON.parse(day?.contents ?? '{}') as {
    currencies: {
      currency: string;
      paid: { count: number; amount: number };
      verified: { count: number; amount: number };
    }[];
    unsettled: { id: string; standing: string }[];
  };
  const booked = new Map<string, number>();
  for (const { currency, amountTotal } of paid) booked.set(currency, (booked.get(currency) ?? 0) + amountTotal);
  expect(new Map(contents.currencies.map(({ currency, paid: sum }) => [currency, sum.amount]))).toEqual(booked);
  expect(contents.currencies.reduce((sum, { verified }) => sum + verified.count, 0)).toBe(SALES);
  expect(contents.unsettled.map(({ standing }) => standing)).toEqual(['parked', 'parked']);

  expect(mailbox.letters).toHaveLength(1);
  const [letter = ''] = mailbox.letters;
  expect(letter).toMatch(
    /^To: office@shop\.example, ada@shop\.example$|^To: ada@shop\.example, office@shop\.example$/m,
  );
  const text = letter
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  expect(text).toContain(`${SALES + TWICE} payments, `);
  expect(text).toContain('2 need you');
  expect(text).toContain('./bridge effects show ');
  expect(text).toContain(`Head: ${day?.head}`);
}, 480_000);

test('a worker that dies before the mail server has answered leaves a letter that is closed as unheard and not sent twice', async () => {
  const before = mailbox.letters.length;
  mailbox.answers = false;
  // Another list: a day's letter goes to each list once.
  await database.executor.execute(
    sql`insert into operations.day_mails (day, recipients, state) select day, 'bank@shop.example', 'owed' from operations.days`,
  );
  const arrived = mailbox.arrival();
  await tick('tick-6');
  await arrived;
  await Promise.all(stand.workers.map((worker) => worker.kill()));
  mailbox.answers = true;
  await stand.startWorker();
  const state = async () =>
    (
      await one<{ state: string }>(sql`select state from operations.day_mails where recipients = 'bank@shop.example'`)
    )[0]?.state;
  let round = 0;
  await eventually('nobody waits for the answer any more', async () => {
    round += 1;
    await tick(`late-${round}`);
    return (await state()) !== 'sending';
  });
  expect(await state()).toBe('unheard');
  expect(mailbox.letters).toHaveLength(before + 1);
}, 300_000);
