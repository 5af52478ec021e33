import { changed, type Database, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { type MaintenanceWindow, type OpenWindow, openWindows } from './maintenance-window';

/**
 * One thing that keeps a scope shut. `cause` is a stable code, `detail` a sentence; `by` a person, a process or the
 * configuration.
 */
export type Closure = {
  scope: string;
  /** `window`: maintenance that the configuration foresees; all others are rows. */
  kind: 'pause' | 'halt' | 'circuit' | 'window';
  cause: string;
  detail: string;
  by: string;
  since: Date;
  /** When it ends by itself; a window's only. */
  until?: Date;
};

/** Between two looks at a peer that is away. Short enough that work resumes within a second of its return. */
export const PROBE_EVERY_MS = 500;

/** How long the right to look is held: longer than any probe takes. Should its process die, the others wait so long. */
export const PROBE_HOLD_MS = 8_000;

/**
 * Pauses, halts and circuits: rows of PostgreSQL, so that every process sees the same and a flushed Redis opens nothing.
 * Maintenance windows need no row: every process works them out from its configuration and PostgreSQL's clock.
 * Scopes are `filemaker`, `stripe`, `script:NAME`, `flow:NAME`.
 */
export interface Gates {
  /** What keeps any of these scopes closed; empty when work may go on. */
  closures(scopes?: readonly string[]): Promise<Closure[]>;
  /** A person's stop. */
  pause(scope: string, why: string, by: string): Promise<void>;
  /** A fault's stop: it stays until a person resumes. The first cause is kept, later ones change nothing. */
  halt(scope: string, cause: string, detail: string, by: string): Promise<void>;
  /** Lifts pause and halt. Tells how many were lifted. */
  resume(scope: string): Promise<number>;
  /** A peer does not answer: nobody calls it until a probe succeeds. */
  openCircuit(peer: string, because: string): Promise<void>;
  /** The right to look once; false when another process has it, or it is too early, or the circuit is closed. */
  takeProbe(peer: string): Promise<boolean>;
  /** It was still away: the next look is due after `PROBE_EVERY_MS`, by whoever comes first. */
  probeFailed(peer: string): Promise<void>;
  /** True when it was open. */
  closeCircuit(peer: string): Promise<boolean>;
}

/** The row of `closures` that only tells the time. */
const CLOCK = 'clock';

/** Needs the migrations of `gates`. `windows`: the maintenance that the configuration foresees. */
export function createGates(database: Database, options: { windows?: readonly MaintenanceWindow[] } = {}): Gates {
  const { executor } = database;
  const { windows = [] } = options;
  return {
    closures: async (scopes) => {
      const found = await rows<{
        scope: string;
        kind: Closure['kind'] | typeof CLOCK;
        cause: string;
        detail: string;
        by: string;
        since: string;
      }>(
        executor,
        sql`select scope, kind, cause, detail, by, since from gates.closures
            union all
            select peer, 'circuit', 'PEER_AWAY', because, 'bridge', opened_at from gates.circuits
            union all
            select '', ${CLOCK}, '', '', '', clock_timestamp()
            order by since`,
      );
      const closures = found.flatMap(({ kind, since, ...row }): Closure[] =>
        kind === CLOCK
          ? openWindows(windows, new Date(since)).map(closedByWindow)
          : [{ ...row, kind, since: new Date(since) }],
      );
      return closures
        .filter(({ scope }) => scopes === undefined || scopes.includes(scope))
        .sort((a, b) => a.since.getTime() - b.since.getTime());
    },
    pause: async (scope, why, by) => {
      await executor.execute(
        sql`insert into gates.closures (scope, kind, cause, detail, by) values (${scope}, 'pause', 'PAUSED', ${why}, ${by})
            on conflict (scope, kind) do nothing`,
      );
    },
    halt: async (scope, cause, detail, by) => {
      await executor.execute(
        sql`insert into gates.closures (scope, kind, cause, detail, by) values (${scope}, 'halt', ${cause}, ${detail}, ${by})
            on conflict (scope, kind) do nothing`,
      );
    },
    resume: (scope) => changed(executor, sql`delete from gates.closures where scope = ${scope}`),
    openCircuit: async (peer, because) => {
      await executor.execute(
        sql`insert into gates.circuits (peer, because, next_probe_at)
            values (${peer}, ${because}, clock_timestamp() + make_interval(secs => ${PROBE_EVERY_MS / 1000}::float8))
            on conflict (peer) do nothing`,
      );
    },
    takeProbe: async (peer) => {
      const taken = await changed(
        executor,
        sql`update gates.circuits
            set probes = probes + 1, next_probe_at = clock_timestamp() + make_interval(secs => ${PROBE_HOLD_MS / 1000}::float8)
            where peer = ${peer} and next_probe_at <= clock_timestamp()`,
      );
      return taken === 1;
    },
    probeFailed: async (peer) => {
      await changed(
        executor,
        sql`update gates.circuits set next_probe_at = clock_timestamp() + make_interval(secs => ${PROBE_EVERY_MS / 1000}::float8)
            where peer = ${peer}`,
      );
    },
    closeCircuit: async (peer) => (await changed(executor, sql`delete from gates.circuits where peer = ${peer}`)) === 1,
  };
}

function closedByWindow({ window, from, until }: OpenWindow): Closure {
  const { scope, why, timeZone } = window;
  const end = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(until);
  return {
    scope,
    kind: 'window',
    cause: 'MAINTENANCE_WINDOW',
    detail: `${why}, until ${end} (${timeZone})`,
    by: 'configuration',
    since: from,
    until,
  };
}
