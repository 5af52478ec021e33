import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { SessionPool } from '@bridge/session-pool';
import { sessionAfter } from './performers/filemaker-failure';

export interface FileMakerProbeOptions {
  /** A client with little patience: the right to look is held for seconds only. */
  client: Pick<FileMakerClient, 'productInfo' | 'layouts'>;
  pool: Pick<SessionPool, 'lease' | 'giveBack'>;
  leaseWaitMs: number;
}

/**
 * Looks whether FileMaker is back; rejects while it is not. The web tier answers `productInfo` even when no file is open,
 * and an idle session is lent without a word to FileMaker: only a question about the file itself tells.
 */
export async function probeFileMaker({ client, pool, leaseWaitMs }: FileMakerProbeOptions): Promise<void> {
  await client.productInfo();
  const lease = await pool.lease({ waitMs: leaseWaitMs });
  let after: 'idle' | 'quarantine' | 'gone' = 'idle';
  try {
    await client.layouts(lease.token);
  } catch (error) {
    after = sessionAfter(error);
    // Refused for a reason of its own, it was answered all the same.
    const answered = error instanceof FileMakerError && error.stage === 'refused' && after === 'idle' && !error.circuit;
    if (!answered) throw error;
  } finally {
    await pool.giveBack(lease, after);
  }
}
