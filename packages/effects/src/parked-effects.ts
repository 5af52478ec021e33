import { changed, type Database, type Executor } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { storableJson } from './storable-json';

/** A person's word about effects that wait for one. */
export interface ParkedEffects {
  /**
   * A parked effect goes back to planned by a person's word, asking the peer first if told to; one that was only to be
   * asked about may run from then on. False: it is not parked.
   */
  releaseParked(id: string, options: { checkFirst: boolean }, within?: Executor): Promise<boolean>;
  /**
   * A person's word that it has happened, or shall not. For parked and unknown effects that nobody has in hand.
   * `done` is marked unverified: it is a word, not a proof. False: it is in another state or in hand.
   */
  resolveParked(
    within: Executor,
    id: string,
    resolution: { as: 'done' | 'cancelled'; result: unknown },
  ): Promise<boolean>;
}

export function createParkedEffects(database: Database): ParkedEffects {
  const { executor } = database;

  return {
    releaseParked: async (id, { checkFirst }, within) =>
      (await changed(
        within ?? executor,
        sql`update effects.effects set state = 'planned', reason_code = null, reason = null, refusals = 0, due_at = clock_timestamp(),
              run = run + 1, queued_at = null, check_first = ${checkFirst}, ask_only = false
            where id = ${id} and state = 'parked'`,
      )) === 1,

    resolveParked: async (within, id, { as, result }) =>
      (await changed(
        within,
        sql`update effects.effects set state = ${as}, unknown_since = null, verified = ${as === 'done' ? false : null},
              result = ${storableJson(result)}::jsonb, settled_at = clock_timestamp(), run = run + 1, queued_at = null
            where id = ${id} and state in ('parked', 'unknown') and claimed_by is null`,
      )) === 1,
  };
}
