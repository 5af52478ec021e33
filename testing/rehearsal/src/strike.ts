import { setTimeout as delay } from 'node:timers/promises';
import type { Chance } from './chance';
import type { Blow } from './scenario';
import { cap, type Stand } from './stand';

/** A time in which somebody whom the bridge needs was away; epoch milliseconds. */
export interface Outage {
  /** Null: nobody was away, we ourselves held up the work. */
  readonly of: 'FileMaker' | 'Redis' | 'PostgreSQL' | 'Stripe' | null;
  readonly from: number;
  readonly to: number;
}

/** The apps, a seeded chance, and the invoices there are. */
export interface Ring {
  readonly stand: Stand;
  readonly chance: Chance;
  readonly invoiceIds: readonly string[];
}

const allBusyWithinMs = 5_000;
const sabotageWithinMs = 60_000;
const unknownWithinMs = 12_000;

/** Lets a blow fall; resolves when it is over, with the outage if it was one. */
export async function strike(blow: Blow, { stand, chance, invoiceIds }: Ring): Promise<Outage | undefined> {
  switch (blow.kind) {
    case 'filemaker-away':
      return away('FileMaker', blow.seconds, () =>
        stand.control('POST', '/down', { forMs: blow.seconds * 1_000, mode: blow.mode }),
      );
    case 'filemaker-hangs':
      return away('FileMaker', blow.seconds, () =>
        stand.control('POST', '/trouble', {
          kind: 'hang',
          when: blow.when,
          times: null,
          forMs: blow.seconds * 1_000,
        }),
      );
    case 'filemaker-full':
      return full(stand, blow.seconds);
    case 'filemaker-restarts':
      return away('FileMaker', blow.awaySeconds, () =>
        stand.control('POST', '/restart', { downMs: blow.awaySeconds * 1_000, scripts: 'cut' }),
      );
    case 'invoices-locked':
      await lock(stand, chance.shuffled(invoiceIds), blow.fraction, blow.seconds);
      return undefined;
    case 'answers-cut':
      await stand.control('POST', '/trouble', {
        kind: 'cut',
        when: blow.when,
        on: ['run'],
        fraction: blow.fraction,
        times: null,
      });
      return undefined;
    case 'redis-flushed':
      await stand.redis.flush();
      return undefined;
    case 'redis-away': {
      const from = Date.now();
      await stand.redis.stop();
      await delay(blow.seconds * 1_000);
      await stand.redis.start();
      return { of: 'Redis', from, to: Date.now() };
    }
    case 'postgres-restarts': {
      const from = Date.now();
      await (blow.how === 'kill' ? stand.postgres.kill() : stand.postgres.stop());
      await delay(blow.awaySeconds * 1_000);
      await stand.postgres.start();
      return { of: 'PostgreSQL', from, to: Date.now() };
    }
    case 'worker-killed':
      return heldUp(() => killInMidScript(stand, blow.scriptsStand));
    case 'apps-replaced':
      return heldUp(() => stand.replaceApps());
    case 'stripe-away':
      return away('Stripe', blow.seconds, () =>
        stand.stripe.ask('POST', '/trouble', { kind: 'down', forMs: blow.seconds * 1_000 }),
      );
    case 'payment-forgotten':
      await forgetOne(stand);
      return undefined;
    case 'payment-run-again':
      await runOneAgain(stand);
      return undefined;
  }
}

/** The simulator ends the outage by itself. */
async function away(of: Outage['of'] & string, seconds: number, begin: () => Promise<unknown>): Promise<Outage> {
  await begin();
  const from = Date.now();
  await delay(seconds * 1_000);
  return { of, from, to: from + seconds * 1_000 };
}

async function heldUp(work: () => Promise<void>): Promise<Outage> {
  const from = Date.now();
  await work();
  return { of: null, from, to: Date.now() };
}

async function full(stand: Stand, seconds: number): Promise<Outage> {
  await stand.control('POST', '/settings', { sessionsMax: 0, capacityCode: '956' });
  await stand.control('DELETE', '/sessions');
  const from = Date.now();
  await delay(seconds * 1_000);
  await stand.control('POST', '/settings', { sessionsMax: 2 * cap });
  return { of: 'FileMaker', from, to: Date.now() };
}

/** A record that a script has in its hands at this moment cannot be opened by a person, and is passed over. */
async function lock(stand: Stand, invoiceIds: readonly string[], fraction: number, seconds: number): Promise<void> {
  const count = Math.max(1, Math.round(invoiceIds.length * fraction));
  const held: string[] = [];
  for (const invoice of invoiceIds.slice(0, count)) {
    const taken = await stand.filemaker.ask('POST', '/locks', { invoice }).then(
      () => true,
      () => false,
    );
    if (taken) held.push(invoice);
  }
  await delay(seconds * 1_000);
  for (const invoice of held) await stand.control('DELETE', '/locks', { invoice });
}

/**
 * The scripts stand still before or after their commit until the dead worker's effects were found to be unknown: whoever
 * asks FileMaker's log meanwhile must not take "no trace" for "it did not run".
 */
async function killInMidScript(stand: Stand, scriptsStand: 'before-commit' | 'after-commit'): Promise<void> {
  await stand.control('POST', '/settings', { holdScripts: scriptsStand });
  try {
    // All sessions busy if there is so much to do, else at least one.
    await stand.control('GET', `/wait?running=${cap}&timeoutMs=${allBusyWithinMs}`);
    await stand.control('GET', `/wait?running=1&timeoutMs=${allBusyWithinMs}`);
    const [busiest] = await stand.query<{ pid: number; ids: string[] }>(
      `select w.pid, array_agg(e.id::text) as ids from effects.effects e join claims.workers w on w.id = e.claimed_by
       where e.state = 'sending' group by w.id, w.pid order by count(*) desc limit 1`,
    );
    await stand.killWorker(busiest?.pid);
    const deadline = performance.now() + unknownWithinMs;
    while (busiest !== undefined && performance.now() < deadline) {
      const [sending] = await stand.query<{ count: number }>(
        "select count(*)::int as count from effects.effects where state = 'sending' and id = any($1)",
        [busiest.ids],
      );
      if (sending?.count === 0) break;
      await delay(100);
    }
  } finally {
    await stand.control('POST', '/settings', { holdScripts: 'none' });
  }
  await stand.startWorker();
}

async function forgetOne(stand: Stand): Promise<void> {
  await stand.control('POST', '/settings', { holdScripts: 'before-commit' });
  const forgotten = await untilChanged(
    stand,
    `delete from effects.effects where id = (
    select id from effects.effects where state = 'planned' and attempts = 0 limit 1 for update skip locked) returning id`,
  );
  await stand.control('POST', '/settings', { holdScripts: 'none' });
  if (!forgotten) throw new Error('no payment waited that could be forgotten');
}

async function runOneAgain(stand: Stand): Promise<void> {
  for (const table of ['log', 'handoff']) await stand.control('DELETE', `/databases/Shop/tables/${table}/records`);
  const planned = await untilChanged(
    stand,
    `update effects.effects set state = 'planned', settled_at = null,
    verified = null, result = null, attempts = 0, first_sent_at = null, last_sent_at = null, run = run + 1,
    queued_at = null, due_at = clock_timestamp()
    where id = (select id from effects.effects where state = 'done' limit 1) returning id`,
  );
  if (!planned) throw new Error('no payment was done that could be run again');
}

async function untilChanged(stand: Stand, sql: string): Promise<boolean> {
  const deadline = performance.now() + sabotageWithinMs;
  while (performance.now() < deadline) {
    if ((await stand.query(sql)).length > 0) return true;
    await delay(50);
  }
  return false;
}
