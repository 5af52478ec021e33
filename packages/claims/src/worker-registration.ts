import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { changed, type Database, oneRow, rows } from '@bridge/database';
import { type SQL, sql } from 'drizzle-orm';
import { isGone, processPlace } from './process-place';

/** Between two heartbeats. */
export const HEARTBEAT_MS = 1_000;
/** A worker unheard for so long is dead; the number stands in claims.is_alive too. */
const DEAD_AFTER_MS = 5_000;
/** Between two heartbeats that came in time. */
const GAP_MS = 2 * HEARTBEAT_MS + 500;
/** Rows of dead workers are kept for the post-mortem, then removed. */
const FORGET_AFTER_DAYS = 7;

/**
 * One process's right to work on rows. Claims hang on its heartbeat: when the process is killed, its claims are free
 * five seconds later, however long the work would have been allowed to take; and at once when a process starts in the
 * same place (machine and namespace) and sees that it is gone.
 */
export interface WorkerRegistration {
  readonly id: string;
  /** Takes up or keeps a duty that one process at a time does for all. False: a living process has it. */
  takeDuty(name: string): Promise<boolean>;
  /** Lays a duty down, for another process to take up. */
  dropDuty(name: string): Promise<void>;
  /** Which of these workers are alive. */
  alive(workers: readonly string[]): Promise<Set<string>>;
  /** The same, but where this process may not judge by silence only those known to have ended count as dead. */
  notDead(workers: readonly string[]): Promise<Set<string>>;
  /**
   * Whether this process may judge others by their silence: it has itself beaten without a gap for as long as a silence means death. After
   * a stall of PostgreSQL everybody's heartbeat is late, and nobody is dead.
   */
  mayJudge(): boolean;
  /** Milliseconds since the last heartbeat that reached PostgreSQL, on this machine's monotonic clock. */
  silentMs(): number;
  /** Ends the heartbeat and frees every claim at once. Safe to call twice. */
  stop(): Promise<void>;
}

/** Whoever was killed in this place and started again finds its claims free: nobody waits for the silence of the dead. */
async function endTheGone(database: Database, place: string | undefined): Promise<void> {
  if (place === undefined) return;
  const here = await rows<{ id: string; pid: number }>(
    database.executor,
    sql`select id, pid from claims.workers where place = ${place} and stopped_at is null`,
  );
  const gone = here.filter(({ pid }) => isGone(pid)).map((worker) => worker.id);
  if (gone.length === 0) return;
  await changed(
    database.executor,
    sql`update claims.workers set stopped_at = clock_timestamp() where id = any(${sql.param(gone)}::text[]) and stopped_at is null`,
  );
}

/**
 * Registers this process and beats until `stop`. `app` begins its id, `onHeartbeatFailure` is told of each beat that
 * did not reach PostgreSQL. Frees first what a process that is gone from the same place has left. Rejects when
 * PostgreSQL is away.
 */
export async function registerWorker(
  database: Database,
  options: { app: string; onHeartbeatFailure?: (error: Error) => void },
): Promise<WorkerRegistration> {
  const id = `${options.app}-${randomUUID()}`;
  const place = processPlace();
  await endTheGone(database, place);
  // An insert each time: a replica that takes over, or a backup that is loaded, may not know this process, and one without
  // a row is dead for ever and can hold no duty. Who has stopped stays so, also when a heartbeat of it comes late.
  const beat = (): Promise<number> =>
    changed(
      database.executor,
      sql`insert into claims.workers (id, app, host, pid, place)
          values (${id}, ${options.app}, ${hostname()}, ${process.pid}, ${place ?? null})
          on conflict (id) do update set heartbeat_at = clock_timestamp()`,
    );
  await beat();
  await database.executor.execute(
    sql`delete from claims.workers where heartbeat_at < clock_timestamp() - make_interval(days => ${FORGET_AFTER_DAYS})
        and id not in (select held_by from claims.duties)`,
  );
  let lastBeat = performance.now();
  let steadySince = lastBeat;
  let beating = false;
  const timer = setInterval(() => {
    if (beating) return; // a slow database gets one question at a time
    beating = true;
    beat()
      .then(() => {
        const now = performance.now();
        if (now - lastBeat > GAP_MS) steadySince = now;
        lastBeat = now;
      })
      .catch((error: Error) => options.onHeartbeatFailure?.(error))
      .finally(() => {
        beating = false;
      });
  }, HEARTBEAT_MS);
  let stopped: Promise<void> | undefined;
  const mayJudge = (): boolean => {
    const now = performance.now();
    return now - lastBeat <= GAP_MS && now - steadySince >= DEAD_AFTER_MS;
  };
  async function thoseOf(workers: readonly string[], living: SQL): Promise<Set<string>> {
    if (workers.length === 0) return new Set();
    const found = await rows<{ id: string }>(
      database.executor,
      sql`select id from unnest(${sql.param(workers)}::text[]) as id where ${living}`,
    );
    return new Set(found.map((row) => row.id));
  }
  return {
    id,
    takeDuty: async (name) => {
      const held = await oneRow<{ held_by: string }>(
        database.executor,
        sql`insert into claims.duties as d (name, held_by) values (${name}, ${id})
            on conflict (name) do update set held_by = excluded.held_by, since = clock_timestamp()
            where d.held_by = excluded.held_by or not claims.is_alive(d.held_by)
            returning held_by`,
      );
      return held !== undefined;
    },
    dropDuty: async (name) => {
      await changed(database.executor, sql`delete from claims.duties where name = ${name} and held_by = ${id}`);
    },
    alive: (workers) => thoseOf(workers, sql`claims.is_alive(id)`),
    notDead: async (workers) => {
      const heard = mayJudge() ? await thoseOf(workers, sql`claims.is_alive(id)`) : undefined;
      // Asked again: PostgreSQL may have stood still with this very question in hand.
      return heard !== undefined && mayJudge() ? heard : thoseOf(workers, sql`not claims.has_ended(id)`);
    },
    mayJudge,
    silentMs: () => performance.now() - lastBeat,
    stop: () => {
      stopped ??= (async () => {
        clearInterval(timer);
        await changed(
          database.executor,
          sql`update claims.workers set stopped_at = clock_timestamp() where id = ${id}`,
        );
      })();
      return stopped;
    },
  };
}
