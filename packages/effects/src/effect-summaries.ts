import { type Database, oneRow, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { EffectOrigin, EffectState, EffectSubject } from './effect';
import type { AttemptRecord } from './effect-life';

/** An effect as people see it: without its body. */
export interface EffectSummary {
  id: string;
  kind: string;
  flow: string;
  key: string;
  lane: string | null;
  title: string;
  state: EffectState;
  origin: EffectOrigin;
  attempts: number;
  subject: EffectSubject;
  reasonCode: string | null;
  reason: string | null;
  verified: boolean | null;
  plannedAt: Date;
  settledAt: Date | null;
}

/** One look at the peer or one sending, as it is kept for good. */
export interface AttemptSummary {
  id: string;
  purpose: 'send' | 'cross-check';
  number: number;
  worker: string;
  sessionId: string | null;
  beganAt: Date;
  durationMs: number | null;
  stage: AttemptRecord['stage'];
  code: string | null;
  verdict: AttemptRecord['verdict'] | null;
  detail: string | null;
}

/** What people and figures see of effects. */
export interface EffectSummaries {
  /** The newest first. */
  list(filter: { state?: EffectState; limit: number }): Promise<EffectSummary[]>;
  /** By id or by key. */
  find(idOrKey: string): Promise<EffectSummary | undefined>;
  /** In the order in which they began. */
  attemptsOf(id: string): Promise<AttemptSummary[]>;
  /** How many of each kind stand how; a state without effects is left out. */
  counts(): Promise<{ kind: string; state: EffectState; count: number }[]>;
}

interface SummaryRow {
  id: string;
  kind: string;
  flow: string;
  key: string;
  lane: string | null;
  title: string;
  state: EffectState;
  origin: EffectOrigin;
  attempts: number;
  subject: EffectSubject;
  reason_code: string | null;
  reason: string | null;
  verified: boolean | null;
  planned_at: string;
  settled_at: string | null;
}

const summaryColumns = sql`id, kind, flow, key, lane, title, state, origin, attempts, subject, reason_code, reason, verified,
  planned_at, settled_at`;

function summaryOf({ reason_code, planned_at, settled_at, ...row }: SummaryRow): EffectSummary {
  return {
    ...row,
    reasonCode: reason_code,
    plannedAt: new Date(planned_at),
    settledAt: settled_at === null ? null : new Date(settled_at),
  };
}

export function createEffectSummaries(database: Database): EffectSummaries {
  const { executor } = database;

  return {
    list: async ({ state, limit }) => {
      const found = await rows<SummaryRow>(
        executor,
        sql`select ${summaryColumns} from effects.effects
            where ${state ?? null}::text is null or state = ${state ?? null} order by id desc limit ${limit}`,
      );
      return found.map(summaryOf);
    },

    find: async (idOrKey) => {
      const by = /^\d{1,18}$/.test(idOrKey) ? sql`id = ${idOrKey}` : sql`key = ${idOrKey}`;
      const row = await oneRow<SummaryRow>(executor, sql`select ${summaryColumns} from effects.effects where ${by}`);
      return row === undefined ? undefined : summaryOf(row);
    },

    attemptsOf: async (id) => {
      const found = await rows<{
        id: string;
        purpose: AttemptSummary['purpose'];
        number: number;
        worker: string;
        session_id: string | null;
        began_at: string;
        duration_ms: number | null;
        stage: AttemptRecord['stage'];
        code: string | null;
        verdict: AttemptRecord['verdict'] | null;
        detail: string | null;
      }>(
        executor,
        sql`select id, purpose, number, worker, session_id, began_at, duration_ms, stage, code, verdict, detail
            from effects.attempts where effect_id = ${id} order by id`,
      );
      return found.map(({ session_id, began_at, duration_ms, ...row }) => ({
        ...row,
        sessionId: session_id,
        beganAt: new Date(began_at),
        durationMs: duration_ms,
      }));
    },

    counts: () =>
      rows<{ kind: string; state: EffectState; count: number }>(
        executor,
        sql`select kind, state, count(*)::int as count from effects.effects group by kind, state order by kind, state`,
      ),
  };
}
