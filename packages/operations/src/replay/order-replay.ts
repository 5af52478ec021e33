import type { Database } from '@bridge/database';
import { auditedTransaction } from '../audit/audit';
import type { Asked } from '../resolve/resolve-effect';
import { insertReplayPlan, lockReplayPlan, moveReplay, type ReplayArgs, type ReplayPlan } from './replay-plan';

/** A plan shown longer ago is made anew: what it rests on is stale, and its bytes are erased. */
export const REPLAY_PLAN_HOURS = 24;

/** Why a plan cannot be sent, resumed or given up. Stable: scripts may rely on them. */
export type ReplayRefusalCode =
  | 'REPLAY_NOT_FOUND'
  | 'REPLAY_NOT_READY'
  | 'REPLAY_OLD'
  | 'REPLAY_OVER'
  | 'REPLAY_NOT_FAILED';

/** The plan as it stands now, or why it was left as it was. */
export type ReplayMove =
  | { kind: 'moved'; plan: ReplayPlan }
  | { kind: 'refused'; code: ReplayRefusalCode; reason: string };

/** Writes a plan down; a worker takes it up within a second or two. Returns its number. */
export function askReplay(database: Database, args: ReplayArgs, { by, why }: Asked): Promise<string> {
  return auditedTransaction(
    database,
    { who: by, action: 'replay.plan', object: `replay:${args.words.join(' ').slice(0, 100)}`, why },
    (tx) => insertReplayPlan(tx, { askedBy: by, why, args }),
    (id) => ({
      outcome: 'done',
      detail: `plan ${id}${args.invoice === undefined ? '' : `, given invoice ${args.invoice}`}${args.override === true ? ', override' : ''}${args.byHand === true ? ', by hand' : ''}`,
    }),
  );
}

/** Exactly what was shown is sent; a plan that is under way or over stays as it is. */
export const sendReplay = (database: Database, id: string, asked: Asked): Promise<ReplayMove> =>
  move(database, id, asked, 'send', ({ state, readyAt }) => {
    if (state === 'sending' || state === 'finished') return 'as-it-is';
    if (state === 'cancelled' || state === 'failed') return refused('REPLAY_OVER', `Replay ${id} is ${state}.`);
    if (state !== 'ready' || readyAt === null)
      return refused('REPLAY_NOT_READY', `Replay ${id} is still being planned.`);
    if (Date.now() - readyAt.getTime() > REPLAY_PLAN_HOURS * 3_600_000)
      return refused('REPLAY_OLD', `Replay ${id} was planned more than ${REPLAY_PLAN_HOURS} hours ago. Plan it anew.`);
    return undefined;
  });

/** Nothing of it is sent. A plan of which something was sent goes on: what is under way cannot be taken back. */
export const cancelReplay = (database: Database, id: string, asked: Asked): Promise<ReplayMove> =>
  move(database, id, asked, 'cancel', ({ state }) => {
    if (state === 'cancelled') return 'as-it-is';
    return state === 'finished' ? refused('REPLAY_OVER', `Replay ${id} is ${state}.`) : undefined;
  });

/** A plan that failed goes on where it was; one that is under way goes on by itself. */
export const resumeReplay = (database: Database, id: string, asked: Asked): Promise<ReplayMove> =>
  move(database, id, asked, 'resume', ({ state }) =>
    state === 'cancelled'
      ? refused('REPLAY_OVER', `Replay ${id} is cancelled.`)
      : state === 'failed'
        ? undefined
        : 'as-it-is',
  );

type Objection = { kind: 'refused'; code: ReplayRefusalCode; reason: string };
const refused = (code: ReplayRefusalCode, reason: string): Objection => ({ kind: 'refused', code, reason });

function move(
  database: Database,
  id: string,
  { by, why }: Asked,
  kind: 'send' | 'cancel' | 'resume',
  objection: (plan: ReplayPlan) => Objection | 'as-it-is' | undefined,
): Promise<ReplayMove> {
  return auditedTransaction<ReplayMove>(
    database,
    { who: by, action: `replay.${kind}`, object: `replay:${id.slice(0, 100)}`, why },
    async (tx) => {
      // Locked: what is decided here is decided about the plan as it stands.
      const plan = await lockReplayPlan(tx, id);
      if (plan === undefined) return refused('REPLAY_NOT_FOUND', `There is no replay ${id}.`);
      const objected = objection(plan);
      if (objected === 'as-it-is') return { kind: 'moved', plan };
      if (objected !== undefined) return objected;
      await moveReplay(tx, id, kind === 'send' ? { kind, by, why } : { kind });
      const moved = (await lockReplayPlan(tx, id)) ?? plan;
      if (kind === 'cancel' && moved.state === 'sending')
        return refused('REPLAY_OVER', `Replay ${id} is being sent: what is under way cannot be taken back.`);
      return { kind: 'moved', plan: moved };
    },
    (value) =>
      value.kind === 'refused'
        ? { outcome: 'refused', detail: value.code }
        : { outcome: 'done', detail: value.plan.state },
  );
}
