import { createHash, randomBytes } from 'node:crypto';
import { type Database, oneRow } from '@bridge/database';
import { sql } from 'drizzle-orm';

/** Without a request for so long, the session ends. A board that is left open asks all the time. */
export const SESSION_IDLE_MINUTES = 60;
/** However busy, a session ends so long after the login. */
export const SESSION_HOURS_MAX = 12;
/** Sessions of one operator; the oldest goes when one more begins. */
const SESSIONS_PER_OPERATOR_MAX = 20;

/** Only the digest is stored: whoever reads the database or a backup cannot log in with it. */
const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** Begins a session and returns its token, which is stored nowhere. */
export async function beginSession(database: Database, operator: string): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await database.transaction(async (tx) => {
    await tx.execute(
      sql`delete from operations.console_sessions
          where expires_at < clock_timestamp() or last_seen_at < clock_timestamp() - make_interval(mins => ${SESSION_IDLE_MINUTES})
            or token_hash in (select token_hash from operations.console_sessions where operator = ${operator}
                              order by last_seen_at desc offset ${SESSIONS_PER_OPERATOR_MAX - 1})`,
    );
    await tx.execute(
      sql`insert into operations.console_sessions (token_hash, operator, expires_at)
          values (${digest(token)}, ${operator}, clock_timestamp() + make_interval(hours => ${SESSION_HOURS_MAX}))`,
    );
  });
  return token;
}

/** Whose session this is, and that it was seen now; undefined when it is none, has ended, or was left idle. */
export async function operatorOfSession(database: Database, token: string): Promise<string | undefined> {
  if (!TOKEN.test(token)) return undefined;
  // Seen is written once a minute at most: a board that polls must not write at every look.
  const row = await oneRow<{ operator: string }>(
    database.executor,
    sql`with living as (
          select token_hash, operator, last_seen_at from operations.console_sessions
          where token_hash = ${digest(token)} and expires_at > clock_timestamp()
            and last_seen_at > clock_timestamp() - make_interval(mins => ${SESSION_IDLE_MINUTES})),
        seen as (
          update operations.console_sessions s set last_seen_at = clock_timestamp() from living l
          where s.token_hash = l.token_hash and l.last_seen_at < clock_timestamp() - interval '1 minute')
        select operator from living`,
  );
  return row?.operator;
}

/** Logs this browser out; a token that is not known changes nothing. */
export async function endSession(database: Database, token: string): Promise<void> {
  await database.executor.execute(sql`delete from operations.console_sessions where token_hash = ${digest(token)}`);
}
