import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { SessionPool } from '@bridge/session-pool';
import { sessionAfter } from './performers/filemaker-failure';

export interface FileMakerProbeOptions {
  /** A client with little patience: the right to look is held for seconds only. */
  client: Pick<FileMakerClient, 'productInfo' | 'layouts'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack' | 'flushEpoch'>;
  leaseWaitMs: number;
  /** Monotonic, ms. */
  now?: () => number;
}

export interface FileMakerProbe {
  /** Rejects while FileMaker is away. */
  look(): Promise<void>;
  /** True once the server has answered this look, until it has ended: its sessions may be asked about. */
  hasAnswer(): boolean;
}

/** A server that answers while its file is closed is not asked for its name at every look. */
const SERVER_KNOWN_MS = 5_000;

/**
 * It answered, and not that the file is away: a server without this endpoint, a proxy that lets only some paths through
 * and a refusal for a reason of its own all show that FileMaker is there.
 */
function answered(error: unknown): boolean {
  if (!(error instanceof FileMakerError)) return false;
  if (error.stage === 'refused' && !error.circuit) return true;
  return error.apiCode === undefined && error.httpStatus !== undefined && error.httpStatus < 500;
}

/**
 * Looks whether FileMaker is back. The web tier answers `productInfo` even when no file is open, and an idle session is
 * lent without a word to FileMaker: only a question about the file itself tells. When the server is found back, what was
 * open before is looked at anew at once: after a restart every token is void, and sessions that wait in quarantine would
 * leave none to lend.
 */
export function createFileMakerProbe({ client, pool, leaseWaitMs, ...rest }: FileMakerProbeOptions): FileMakerProbe {
  const now = rest.now ?? (() => performance.now());
  let serverSeenAt = Number.NEGATIVE_INFINITY;
  let answer = false;

  async function findServer(): Promise<void> {
    if (now() - serverSeenAt < SERVER_KNOWN_MS) return;
    await client.productInfo().catch((error: unknown) => {
      if (!answered(error)) throw error;
    });
    answer = true;
    await pool.flushEpoch();
    serverSeenAt = now();
  }

  async function askFile(): Promise<void> {
    const lease = await pool.lease({ waitMs: leaseWaitMs });
    let after: 'idle' | 'quarantine' | 'gone' = 'idle';
    try {
      await client.layouts(lease.token);
    } catch (error) {
      after = answered(error) ? 'idle' : sessionAfter(error);
      if (answered(error)) return;
      // Without a word from the file: perhaps the server has gone again.
      if (!(error instanceof FileMakerError && error.apiCode !== undefined)) serverSeenAt = Number.NEGATIVE_INFINITY;
      throw error;
    } finally {
      await pool.giveBack(lease, after);
    }
  }

  return {
    hasAnswer: () => answer,
    look: async () => {
      try {
        await findServer();
        answer = true;
        await askFile();
        // The next outage begins anew.
        serverSeenAt = Number.NEGATIVE_INFINITY;
      } finally {
        answer = false;
      }
    },
  };
}
