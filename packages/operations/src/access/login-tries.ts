import { createHash } from 'node:crypto';
import { type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** Tries within one window, right ones included, which give their tries back. */
export const TRIES_PER_NAME_MAX = 10;
/** Tries from one address, of whatever name, within `TRIES_WINDOW_MINUTES`. */
export const TRIES_PER_ADDRESS_MAX = 30;
/** How long a try counts. */
export const TRIES_WINDOW_MINUTES = 15;

/** Whether a password may be tried now. */
export interface LoginTry {
  allowed: boolean;
  /** Seconds until the next try counts anew; 0 when allowed. */
  retryAfterSeconds: number;
}

const digest = (kind: string, value: string): Buffer => createHash('sha256').update(`${kind}:${value}`).digest();

/** One household or data centre has a whole /64 of IPv6 to itself. */
export function addressGroup(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const full =
    tail === undefined
      ? groups
      : [...groups, ...Array<string>(Math.max(0, 8 - groups.length - rest.length)).fill('0'), ...rest];
  return full.slice(0, 4).join(':');
}

/** Counts a try before the password is looked at, in PostgreSQL: parallel tries and several schedulers share one count. */
export async function countLoginTry(database: Database, name: string, address: string): Promise<LoginTry> {
  await database.executor.execute(
    sql`delete from operations.login_tries where window_began_at < clock_timestamp() - make_interval(mins => ${TRIES_WINDOW_MINUTES})`,
  );
  const byAddress = await count(database, digest('address', addressGroup(address)), TRIES_PER_ADDRESS_MAX);
  if (!byAddress.allowed) return byAddress;
  return count(database, digest('name', name), TRIES_PER_NAME_MAX);
}

async function count(database: Database, subject: Buffer, max: number): Promise<LoginTry> {
  const row = await oneRow<{ tries: number; seconds_left: number }>(
    database.executor,
    sql`insert into operations.login_tries as t (subject, tries) values (${subject}, 1)
        on conflict (subject) do update set tries = least(t.tries + 1, 1000000)
        returning tries, ceil(extract(epoch from window_began_at + make_interval(mins => ${TRIES_WINDOW_MINUTES}) - clock_timestamp()))::int as seconds_left`,
  );
  const allowed = row !== undefined && row.tries <= max;
  return { allowed, retryAfterSeconds: allowed ? 0 : Math.max(1, row?.seconds_left ?? 60) };
}

/** A right password clears its name's count; the address keeps its own, or one known password would free all guesses. */
export async function forgetLoginTries(database: Database, name: string): Promise<void> {
  await database.executor.execute(sql`delete from operations.login_tries where subject = ${digest('name', name)}`);
}
