import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { Gates } from '@bridge/gates';
import type { SessionPool } from '@bridge/session-pool';
import { flushAfterForgotten, leaseOrWait, sessionAfter, tellGates } from '../performers/filemaker-failure';
import type { ScriptTarget } from '../performers/script-target';

export interface SentinelPlanterOptions {
  client: Pick<FileMakerClient, 'createRecord'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'flushEpoch'>;
  gates: Gates;
  worker: string;
  sentinelKey: string;
  leaseWaitMs: number;
}

/** Where a log hides our row, rows would pile up unseen. */
const PLANT_EVERY_MS = 600_000;

/** Puts the bridge's own row into a log: what is not found beside it is proved not to be there. */
export function createSentinelPlanter(options: SentinelPlanterOptions): {
  /** True: it stands there now, as far as FileMaker says. */
  plant(log: NonNullable<ScriptTarget['log']>): Promise<boolean>;
} {
  const { client, pool, gates, worker, sentinelKey } = options;
  /** By layout, on this machine's monotonic clock. */
  const plantedAt = new Map<string, number>();

  return {
    plant: async (log) => {
      const last = plantedAt.get(log.layout);
      if (last !== undefined && performance.now() - last < PLANT_EVERY_MS) return false;
      const leased = await leaseOrWait(
        () => pool.lease({ waitMs: options.leaseWaitMs, priority: 'cross-check' }),
        gates,
      );
      if (leased.kind !== 'leased') return false;
      plantedAt.set(log.layout, performance.now());
      const { lease } = leased;
      let after: 'idle' | 'quarantine' | 'gone' = 'idle';
      try {
        await client.createRecord(lease.token, {
          layout: log.layout,
          fieldData: { [log.keyField]: sentinelKey, [log.stateField]: 'sentinel' },
        });
        return true;
      } catch (error) {
        after = sessionAfter(error);
        if (!(error instanceof FileMakerError)) throw error;
        await tellGates(gates, error, { script: 'reconciliation', worker });
        await flushAfterForgotten(pool, error, lease.epoch);
        return false;
      } finally {
        await pool.giveBack(lease, after);
      }
    },
  };
}
