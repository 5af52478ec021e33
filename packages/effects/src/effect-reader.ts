import { type Executor, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EffectState } from './effect';

/** How an effect stands, for a comparison with the peer's own records. */
export interface EffectStanding {
  id: string;
  key: string;
  state: EffectState;
  /** A person has said that it is done or shall not happen. */
  byPerson: boolean;
  /** The peer was only asked; nothing was ever sent. */
  askOnly: boolean;
  reasonCode: string | null;
  plannedAt: Date;
  /** Where and how, as it was frozen when planned. */
  target: unknown;
}

/** Reads states and moves none. */
export interface EffectReader {
  stateOf(key: string): Promise<EffectState | undefined>;
  /** By key; keys that have no effect are left out. */
  standings(keys: readonly string[]): Promise<Map<string, EffectStanding>>;
}

/** For flows, whose decisions depend on how an effect stands. */
export function createEffectReader(within: Executor): EffectReader {
  return {
    stateOf: async (key) =>
      (await oneRow<{ state: EffectState }>(within, sql`select state from effects.effects where key = ${key}`))?.state,
    standings: async (keys) => {
      if (keys.length === 0) return new Map();
      const found = await rows<Omit<EffectStanding, 'plannedAt'> & { plannedAt: string }>(
        within,
        sql`select id, key, state, coalesce(result ? 'resolvedBy', false) as "byPerson", ask_only as "askOnly",
              reason_code as "reasonCode", planned_at as "plannedAt", target
            from effects.effects where key = any(${sql.param(keys)}::text[])`,
      );
      return new Map(found.map((row) => [row.key, { ...row, plannedAt: new Date(row.plannedAt) }]));
    },
  };
}
