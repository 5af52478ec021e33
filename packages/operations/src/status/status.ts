import { type Database, type MigrationSource, pendingMigrations, readMigrations } from '@bridge/database';
import type { MaintenanceWindow } from '@bridge/gates';
import { describeCutOver, readCutOver } from '../cut-over/cut-over-lines';
import { runbookOf } from '../runbooks/runbooks';
import { readLedger, readServerVersion } from '../tables/read-processes';
import { BRIDGE_VERSION } from '../version';
import { readFigures, type StatusFigures } from './status-figures';
import { describeStatus, type StatusLine } from './status-lines';

/** How the bridge stands at one moment. */
export interface Status {
  at: Date;
  version: string;
  postgresql: string;
  pendingMigrations: string[];
  /** Null until the database is migrated. */
  figures: StatusFigures | null;
  /** What a person should know, the most urgent first; each with the command that is next. */
  lines: StatusLine[];
  /** Nothing waits for a person and nothing is broken. */
  fine: boolean;
}

/**
 * How the bridge stands, from PostgreSQL alone: it can be asked while Redis and all processes are down. `windows` and
 * `mode` are the maintenance windows and the MODE of the asker's configuration.
 */
export async function readStatus(
  database: Database,
  sources: readonly MigrationSource[],
  windows: readonly MaintenanceWindow[] = [],
  mode: 'live' | 'observe' = 'live',
): Promise<Status> {
  const [postgresql, ledger] = [await readServerVersion(database), await readLedger(database)];
  const pending = pendingMigrations(readMigrations(sources), ledger).map(({ owner, name }) => `${owner}/${name}`);
  const figures = pending.length === 0 ? await readFigures(database, windows) : null;
  const at = new Date();
  const more =
    figures === null
      ? []
      : describeCutOver({
          ...(await readCutOver(database, undefined, at)),
          observing: mode === 'observe' ? { waiting: figures.effects.counts.planned } : null,
        });
  const lines = describeStatus({ pendingMigrations: pending, figures, at, more, runbookOf });
  return {
    at,
    version: BRIDGE_VERSION,
    postgresql,
    pendingMigrations: pending,
    figures,
    lines,
    fine: lines.every((line) => line.tone === 'fine' || line.tone === 'note'),
  };
}
