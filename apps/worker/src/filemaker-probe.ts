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
 * It answered, and not that the file is away: a server without this endpoint, a proxy that lets only some paths through
 * and a refusal for a reason of its own all show that FileMaker is there.
 */
function answered(error: unknown): boolean {
  if (!(error instanceof FileMakerError)) return false;
  if (error.stage === 'refused' && !error.circuit) return true;
  return error.apiCode === undefined && error.httpStatus !== undefined && error.httpStatus < 500;
}

/**
 * Looks whether FileMaker is back; rejects while it is not. The web tier answers `productInfo` even when no file is open,
 * and an idle session is lent without a word to FileMaker: only a question about the file itself tells.
 */
export async function probeFileMaker({ client, pool, leaseWaitMs }: FileMakerProbeOptions): Promise<void> {
  await client.productInfo().catch((error: unknown) => {
    if (!answered(error)) throw error;
  });
  const lease = await pool.lease({ waitMs: leaseWaitMs });
  let after: 'idle' | 'quarantine' | 'gone' = 'idle';
  try {
    await client.layouts(lease.token);
  } catch (error) {
    after = answered(error) ? 'idle' : sessionAfter(error);
    if (!answered(error)) throw error;
  } finally {
    await pool.giveBack(lease, after);
  }
}
