import type { Database } from '@bridge/database';
import { type Closure, createGates } from '@bridge/gates';
import { type PoolHold, readPoolHold, readSessionRows, type SessionRow } from '../tables/read-processes';

/** Who holds which FileMaker session, as PostgreSQL knows it. */
export interface FileMakerSessions {
  at: Date;
  /** FILEMAKER_MAX_SESSIONS; null where no FileMaker is configured. */
  cap: number | null;
  /** Every right to a session; all count against the cap. */
  sessions: SessionRow[];
  pool: PoolHold;
  /** Why work with FileMaker stands still: pauses, halts, and the note that it is away. */
  closures: { kind: Closure['kind']; cause: string; detail: string; since: Date }[];
  /** Nothing keeps sessions from being opened and lent, and there are not more than the cap. */
  fine: boolean;
}

/** Which FileMaker sessions the bridge holds, from PostgreSQL alone: neither FileMaker nor Redis is asked. */
export async function listFileMakerSessions(database: Database, cap: number | undefined): Promise<FileMakerSessions> {
  const sessions = await readSessionRows(database);
  const pool = await readPoolHold(database);
  const closures = (await createGates(database).closures(['filemaker'])).map(({ kind, cause, detail, since }) => ({
    kind,
    cause,
    detail,
    since,
  }));
  return {
    at: new Date(),
    cap: cap ?? null,
    sessions,
    pool,
    closures,
    fine: closures.length === 0 && pool.heldBecause === null && sessions.length <= (cap ?? sessions.length),
  };
}
