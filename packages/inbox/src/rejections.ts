import { type Database, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';

const REJECTIONS_KEPT = 1_000;

/** A request that was refused at the door, without its body. */
export interface Rejection {
  id: string;
  receivedAt: Date;
  /** A code: `SIGNATURE_MISMATCH`, `BODY_TOO_LARGE`, … */
  reason: string;
  bytes: number;
  /** The address it came from. */
  remote: string | null;
}

/** Requests that were refused at the door. */
export interface Rejections {
  /** Notes one and forgets the oldest beyond the last 1,000. `bytes`: the length of its body. */
  recordRejection(rejection: { reason: string; bytes: number; remote?: string }): Promise<void>;
  /** Requests that were refused at the door, the newest first; the last 1,000 are kept. */
  rejections(filter: { before?: string; limit: number }): Promise<Rejection[]>;
}

export function createRejections(database: Database): Rejections {
  const { executor } = database;

  return {
    recordRejection: async ({ reason, bytes, remote }) => {
      await executor.execute(
        sql`insert into inbox.rejections (reason, bytes, remote) values (${reason}, ${bytes}, ${remote ?? null})`,
      );
      await executor.execute(
        sql`delete from inbox.rejections where id <= (select id from inbox.rejections order by id desc offset ${REJECTIONS_KEPT} limit 1)`,
      );
    },

    rejections: async ({ before, limit }) => {
      const found = await rows<Omit<Rejection, 'receivedAt'> & { received_at: string }>(
        executor,
        sql`select id, received_at, reason, bytes, remote from inbox.rejections
            where ${before ?? null}::bigint is null or id < ${before ?? null}::bigint order by id desc limit ${limit}`,
      );
      return found.map(({ received_at, ...row }) => ({ ...row, receivedAt: new Date(received_at) }));
    },
  };
}
