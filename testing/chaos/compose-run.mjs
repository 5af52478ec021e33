// The containers of docker-compose.yml put to the proof: three workers, many sales, a worker killed while its scripts
// run, all apps stopped in mid-work, PostgreSQL and Redis restarted. Prints a table and exits 1 when a figure is wrong.
//   node testing/chaos/compose-run.mjs [--delivery webhook|pull] [--sales 240] [--seed 1] [--no-build] [--keep]
// Needs Docker Engine 25 and Compose 2.26 or newer, and openssl. Two minutes after the first build.
import { writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ComposeStack } from './compose-stack.mjs';
import { filemakerControl, stripeControl } from './simulator-control.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values: options } = parseArgs({
  options: {
    delivery: { type: 'string', default: 'webhook' },
    sales: { type: 'string', default: '240' },
    seed: { type: 'string', default: '1' },
    'no-build': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const sales = Number(options.sales);
const seed = Number(options.seed);
if (!Number.isInteger(sales) || sales < 50 || !Number.isInteger(seed) || seed < 0) {
  process.stderr.write('--sales takes a whole number from 50 on, --seed one from 0 on\n');
  process.exit(2);
}
if (options.delivery !== 'webhook' && options.delivery !== 'pull') {
  process.stderr.write('--delivery takes webhook or pull\n');
  process.exit(2);
}

/** No webhook is sent and no ingress runs: the workers fetch Stripe's list of events. */
const pulls = options.delivery === 'pull';
const pullSeconds = 5;
const workers = 3;
const cap = 5; // FILEMAKER_MAX_SESSIONS of deploy/demo.env.sample
const apps = pulls ? ['worker', 'scheduler'] : ['ingress', 'worker', 'scheduler'];
const scale = { worker: workers, ...(pulls ? { ingress: 0 } : {}) };
const firstInvoice = 20_000;
const beforeKill = Math.floor(sales / 6);
const secondBatch = Math.max(80, Math.floor(sales / 3));
const appliedWithinMs = 240_000;

const folder = join(root, '.bridge/compose-run');
const stack = new ComposeStack({ root, folder, project: 'bridge-chaos' });
const startedAt = performance.now();
const figures = [];

const say = (line) =>
  process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
const figure = (name, wanted, found, isRight = wanted === found) =>
  figures.push({ name, wanted: String(wanted), found: String(found), isRight });
const invoiceIds = (from, count) => Array.from({ length: count }, (_, index) => String(firstInvoice + from + index));

async function main() {
  await stack.prepare(pulls ? { STRIPE_DELIVERY: 'pull', STRIPE_PULL_SECONDS: pullSeconds } : {});
  if (!options['no-build']) {
    say('Building the images …');
    await stack.build();
  }
  await stack.up(scale);
  say(`Up and healthy: ${pulls ? '' : 'ingress, '}scheduler, ${workers} workers, PostgreSQL, Redis, both simulators.`);
  const stripe = stripeControl(`http://${await stack.address('stripe-simulator', 12_111)}`);
  const filemaker = filemakerControl(
    `https://${await stack.address('filemaker-simulator', 8_443)}`,
    stack.certificate(),
  );
  await filemaker.set({ loginMs: 200, scriptMs: 80, scriptSpreadMs: 60, seed });
  await stripe.set({ delivery: pulls ? { lossFraction: 1 } : { duplicateFraction: 0.2 } });

  const sold = await sell(stripe, filemaker, 0, sales, seed);
  await killWorkerInMidScript(filemaker);
  await untilApplied(filemaker, sales);

  // Slower, so that the stop comes in the middle: docker takes seconds to pass it on.
  await filemaker.set({ scriptMs: 600 });
  sold.push(...(await sell(stripe, filemaker, sales, secondBatch, seed + 1)));
  await stopAppsInMidWork(filemaker);
  await restartStores();
  await stack.up(scale);
  await untilApplied(filemaker, sales + secondBatch);
  if (!pulls) await stripe.untilDelivered(120_000);
  await untilQuiet();

  await compareBooks(stripe, filemaker, sold);
  await stack.stop();
  const ended = await stack.containers();
  figure(
    'exit codes after docker compose stop',
    'all 0',
    exitCodes(ended),
    ended.every(({ exitCode }) => exitCode === 0),
  );
}

async function sell(stripe, filemaker, from, count, batchSeed) {
  await filemaker.addInvoices(invoiceIds(from, count));
  const made = await stripe.sell({ count, seed: batchSeed, firstInvoiceId: firstInvoice + from });
  say(`${count} customers have paid.`);
  return made.map(({ amountTotal }, index) => ({ invoice: String(firstInvoice + from + index), amountTotal }));
}

/**
 * Holds the scripts just before they commit, so that it is certain what the worker was doing when it died. They are let
 * go only when the worker is back: until then whoever asks FileMaker finds no trace of them, and must not believe it.
 */
async function killWorkerInMidScript(filemaker) {
  await filemaker.until(`applied=${beforeKill}`, appliedWithinMs);
  await filemaker.set({ holdScripts: 'before-commit' });
  const { reached } = await filemaker.until(`running=${cap}`, 60_000);
  if (!reached) throw new Error(`FileMaker did not have ${cap} scripts running at one time within 60 s`);
  // A script runs on a session of its own. Beside those the worker may hold some that stand as `sending` and wait for
  // their turn on one of these sessions: nothing of them has reached FileMaker.
  const [busiest] = await stack.query(
    `select w.id, w.host, w.pid, count(distinct split_part(a.session_id, '/', 1))
     from effects.effects e join claims.workers w on w.id = e.claimed_by
       join effects.attempts a on a.effect_id = e.id and a.purpose = 'send' and a.ended_at is null
     where e.state = 'sending' group by w.id, w.host, w.pid order by 4 desc limit 1`,
  );
  if (busiest === undefined) throw new Error('No worker was sending anything');
  const [id, host, pid] = busiest;
  const running = Number(busiest[3]);
  const effects = (
    await stack.query(`select id from effects.effects where state = 'sending' and claimed_by = '${id}'`)
  ).flat();
  const victim = (await stack.containers('worker')).find((container) => container.host === host);
  await stack.killProcess(victim.id, pid);
  say(
    `${victim.name} was killed with ${running} scripts running, and ${effects.length - running} payments next in line.`,
  );
  const [back, unknown] = [await restarted(victim), await markedUnknown(effects, running)];
  await filemaker.set({ holdScripts: 'none' });
  say(back === undefined ? 'It did not come back.' : 'It is back and healthy. The scripts commit only now.');
  const { summary } = await filemaker.until(`unheard=${running}`, 30_000);
  figure('restarts of the killed worker', 1, back?.restarts ?? 'not healthy again');
  // A turn that has not come within 2 s is given back. So those next in line are unknown or planned again, as it died
  // sooner or later; those whose script ran must be unknown.
  const wanted = effects.length > running ? `${running} to ${effects.length}` : running;
  figure('payments in its hand as it died, now unknown', wanted, unknown, unknown >= running);
  figure('scripts whose answer nobody heard', running, summary.unheardAnswers);
}

/** How many of the effects the other workers have found to be unknown, waiting until it is at least so many. */
async function markedUnknown(effects, least) {
  const count = `select count(*) from effects.effects where state = 'unknown' and id in (${effects.join(', ')})`;
  let found = 0;
  await eventually(30_000, async () => {
    found = Number((await stack.query(count))[0][0]);
    return found >= least ? true : undefined;
  });
  return found;
}

function restarted(victim) {
  return eventually(120_000, async () => {
    const container = (await stack.containers('worker')).find(({ id }) => id === victim.id);
    return container.health === 'healthy' && container.restarts > victim.restarts ? container : undefined;
  });
}

async function untilApplied(filemaker, count) {
  const { reached, summary } = await filemaker.until(`applied=${count}`, appliedWithinMs);
  say(`FileMaker’s books show ${summary.effectsApplied} payments.`);
  if (!reached) throw new Error(`Not all of ${count} payments after ${appliedWithinMs / 1000} s`);
}

async function stopAppsInMidWork(filemaker) {
  await filemaker.until(`applied=${sales + Math.floor(secondBatch / 4)}`, appliedWithinMs);
  const before = await filemaker.summary();
  await stack.stop(...apps);
  const after = await filemaker.summary();
  say(`Stopped the apps with ${sales + secondBatch - after.effectsApplied} payments still to make.`);
  const containers = await stack.containers(...apps);
  figure(
    'payments open when the apps were stopped',
    'some',
    sales + secondBatch - after.effectsApplied,
    after.effectsApplied < sales + secondBatch,
  );
  figure(
    'exit codes of the stopped apps',
    'all 0',
    exitCodes(containers),
    containers.every(({ exitCode }) => exitCode === 0),
  );
  figure('answers lost by stopping', 0, after.unheardAnswers - before.unheardAnswers);
}

/** With the apps away nothing writes, so what is there before and after must be the same. */
async function restartStores() {
  const rows = async () =>
    (
      await stack.query(
        'select (select count(*) from inbox.events), (select count(*) from effects.effects), (select count(*) from effects.attempts)',
      )
    )[0].join(' + ');
  const [rowsBefore, keysBefore] = [await rows(), await stack.lastingRedisKeys()];
  await stack.stop('postgres', 'redis');
  await stack.start('postgres', 'redis');
  figure('rows in PostgreSQL after its restart', rowsBefore, await rows());
  figure('lasting keys in Redis after its restart', keysBefore, await stack.lastingRedisKeys());
  say('PostgreSQL and Redis were restarted.');
}

/** Every event decided, nothing owed. */
async function untilQuiet() {
  const open = `select (select count(*) from inbox.events where state in ('received', 'processing'))
    + (select count(*) from effects.effects where state in ('planned', 'sending', 'unknown'))`;
  await eventually(60_000, async () => ((await stack.query(open))[0][0] === '0' ? true : undefined));
}

async function compareBooks(stripe, filemaker, sold) {
  const [summary, invoices, attempts, arrivals] = await Promise.all([
    filemaker.summary(),
    filemaker.invoices(),
    stripe.deliveries(),
    stack.query('select source, count(*) from inbox.events group by source order by source'),
  ]);
  const paid = new Map(invoices.map(({ invoice_id, paid_cents }) => [invoice_id, Number(paid_cents)]));
  const wrong = sold.filter(({ invoice, amountTotal }) => paid.get(invoice) !== amountTotal);
  const delivered = new Map();
  for (const { eventId } of attempts) delivered.set(eventId, (delivered.get(eventId) ?? 0) + 1);
  const repeated = [...delivered.values()].filter((count) => count > 1).length;
  const status = await stack.bridgeStatus();

  figure('payments made in FileMaker', sold.length, summary.effectsApplied);
  figure('payments made twice', 0, summary.keysAppliedMoreThanOnce.length + summary.invoicesAppliedMoreThanOnce.length);
  figure('invoices whose amount differs from Stripe’s', 0, wrong.length);
  if (pulls) {
    const events = arrivals.map(([source, count]) => `${count} ${source}`).join(', ');
    figure('how the events came', 'all by pull', events, arrivals.length === 1 && arrivals[0][0] === 'pull');
  } else figure('webhooks that came more than once', 'some', repeated, repeated > 0);
  figure(
    'FileMaker sessions at one time, at most',
    `${cap}, the cap`,
    summary.sessions.peak,
    summary.sessions.peak === cap,
  );
  figure('calls on a FileMaker session in use', 0, summary.overlaps + summary.deletedInUse);
  figure('effects done, by the bridge’s own count', sold.length, status.figures.effects.counts.done);
  figure(
    'what waits for a person',
    'nothing',
    status.fine ? 'nothing' : status.lines.map(({ sentence }) => sentence).join(' | '),
  );
}

const exitCodes = (containers) => [...new Set(containers.map(({ exitCode }) => exitCode))].join(', ');

/** What `look` finds within the time, looking every half second; else undefined. */
async function eventually(withinMs, look) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined || performance.now() > deadline) return found;
    await delay(500);
  }
}

function printTable() {
  const width = (column) => Math.max(...figures.map((row) => row[column].length), column.length);
  const [name, wanted] = [width('name'), width('wanted')];
  process.stdout.write(`\n   ${''.padEnd(name)}  ${'wanted'.padEnd(wanted)}  found\n`);
  for (const row of figures) {
    process.stdout.write(
      `${row.isRight ? ' ✓' : ' ✗'} ${row.name.padEnd(name)}  ${row.wanted.padEnd(wanted)}  ${row.found}\n`,
    );
  }
}

async function keepLogs() {
  const file = join(folder, 'logs.txt');
  writeFileSync(file, await stack.logs());
  process.stdout.write(`What the containers said: ${relative(root, file)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stack.removeAllNow();
    process.exit(130);
  });
}

let fault;
try {
  await main();
} catch (error) {
  fault = error;
}
if (figures.length > 0) printTable();
const isRight = fault === undefined && figures.every((row) => row.isRight);
if (fault !== undefined) process.stderr.write(`\n${fault.stack}\n`);
if (!isRight) await keepLogs().catch((error) => process.stderr.write(`The logs could not be kept: ${error.message}\n`));
if (options.keep) {
  say('The containers are still there. To look at them, and to remove them:');
  const compose = `BRIDGE_HOME=./${relative(root, folder)} docker compose --project-name bridge-chaos --profile demo`;
  process.stdout.write(`  ${compose} ps\n  ${compose} down --volumes\n`);
} else await stack.removeAll();
const wrongCount = figures.filter((row) => !row.isRight).length;
process.stdout.write(
  isRight
    ? '\nEvery payment exactly once.\n'
    : `\n${wrongCount} of ${figures.length} figures wrong${fault ? ', and the run did not get to its end' : ''}.\n`,
);
process.exitCode = isRight ? 0 : 1;
