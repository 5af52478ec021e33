import type { Database, Executor } from '@bridge/database';
import { BEFORE_GO_LIVE, createEffectStore } from '@bridge/effects';
import { z } from 'zod';
import { auditedTransaction } from '../audit/audit';
import { type EffectRow, lockEffect, readEffectRows } from '../tables/read-engine-tables';

/** Where an effect of kind `filemaker-script` goes; frozen in `effects.effects.target` when it is planned. */
export const filemakerScriptTarget = z.object({
  layout: z.string(),
  script: z.string(),
  /** kit: the script echoes the key and keeps the kit's log. plain: nobody may change it. */
  contract: z.enum(['kit', 'plain']),
  /** get: the payload is the script parameter. handoff: it is written to a record first. */
  transport: z.enum(['get', 'handoff']),
  handoffLayout: z.string().nullable(),
  /** Where to look whether a plain script has run; `proves`: the field holds this payment's own id. */
  probe: z.object({ layout: z.string(), field: z.string(), value: z.string(), proves: z.boolean() }).nullable(),
  log: z
    .object({ layout: z.string(), keyField: z.string(), stateField: z.string(), resultField: z.string() })
    .nullable(),
});

/**
 * FileMaker's log cannot decide: asked again it would only park the effect again, or, where a script has run without leaving
 * its row, take it for one that has not.
 */
const LOG_CANNOT_DECIDE: ReadonlySet<string> = new Set(['LOG_NOT_DONE', 'LOG_CONTRADICTS', 'SCRIPT_ROW_MISSING']);
/** Parked by a question to FileMaker that could not prove anything: the effect may have run, however often we sent it. */
const NOT_PROVED: ReadonlySet<string> = new Set(['CANNOT_BE_ASKED', 'PROBE_FOUND_NOTHING', 'PROBE_CANNOT_PROVE']);
/** The money itself is in question. Whether the script should run at all is decided for each payment alone. */
const MONEY_IN_QUESTION: ReadonlySet<string> = new Set([
  'second-payment',
  'payment-refunded',
  'payment-disputed',
  'payment-not-applied',
  'captured-less',
]);

/** Does FileMaker keep a log that can be asked? Undefined: the target says nothing that we understand. */
function keepsLog({ kind, target }: EffectRow): boolean | undefined {
  if (kind !== 'filemaker-script') return false;
  const read = filemakerScriptTarget.pick({ log: true }).safeParse(target);
  return read.success ? read.data.log !== null : undefined;
}

/** `done`: a person has seen that it happened. `again`: it goes on. `cancelled`: it shall never happen. */
export type Resolution = 'done' | 'again' | 'cancelled';
/** The words that `--as` takes. */
export const RESOLUTIONS: readonly Resolution[] = ['done', 'again', 'cancelled'];

/** Why an act on an effect or event is refused. Stable: scripts may rely on them. */
export type RefusalCode =
  | 'EFFECT_NOT_FOUND'
  | 'EFFECT_DONE'
  | 'EFFECT_CANCELLED'
  | 'EFFECT_UNKNOWN'
  | 'EFFECT_IN_HAND'
  | 'EFFECT_ON_ITS_WAY'
  | 'EFFECT_TARGET_UNREADABLE'
  | 'EFFECT_NEEDS_DECISION'
  | 'EVENT_NOT_FOUND'
  | 'EVENT_ON_ITS_WAY'
  | 'EVENT_SETTLED'
  | 'EVENT_BODY_ERASED';

/** The act was not done, and nothing was changed. */
export interface Refused {
  kind: 'refused';
  code: RefusalCode;
  /** A sentence for the person who asked. */
  reason: string;
}

/** What became of a person's decision about an effect. */
export type EffectResolution =
  | {
      kind: 'resolved';
      as: 'again';
      id: string;
      title: string;
      /** True: FileMaker's log is asked first, and the script runs only when it is proved not to have run. */
      checkFirst: boolean;
    }
  | {
      kind: 'resolved';
      as: 'done' | 'cancelled';
      id: string;
      title: string;
      /** As it stood until now. */
      was: 'parked' | 'unknown';
    }
  | Refused;

/** Who asks, and why; both go into the audit row. */
export interface Asked {
  by: string;
  why: string;
}

const refused = (code: RefusalCode, reason: string): Refused => ({ kind: 'refused', code, reason });
const nowhere = (idOrKey: string): Refused => refused('EFFECT_NOT_FOUND', `There is no effect ${idOrKey}.`);
const nameOf = ({ id, title }: EffectRow): string => `"${title}" (effect ${id})`;

/**
 * A person's decision about an effect that is parked, or unknown while nobody has it in hand; written down in the same
 * transaction. `again` is for parked ones only: what may have run is asked about or decided, never sent on a guess.
 * FileMaker's log is asked first where there is one that has not been asked in vain; otherwise the person's word runs it.
 */
export function resolveEffect(
  database: Database,
  idOrKey: string,
  { as, by, why }: Asked & { as: Resolution },
): Promise<EffectResolution> {
  return decide(database, idOrKey, { as, by, why }, () => undefined);
}

/**
 * `again` for a button that is pressed without a look at the single case, or for many at once: as `resolveEffect`, but
 * what may have run and what was parked because of its money is refused with the command that decides it alone.
 */
export function retryEffect(database: Database, idOrKey: string, { by, why }: Asked): Promise<EffectResolution> {
  return decide(database, idOrKey, { as: 'again', by, why }, whyAlone);
}

async function decide(
  database: Database,
  idOrKey: string,
  asked: Asked & { as: Resolution },
  objection: (effect: EffectRow) => Refused | undefined,
): Promise<EffectResolution> {
  const id = (await createEffectStore(database).find(idOrKey))?.id;
  return auditedTransaction(
    database,
    { who: asked.by, action: 'effect.resolve', object: `effect:${id ?? idOrKey.slice(0, 100)}`, why: asked.why },
    async (tx) => {
      // Locked: what is decided here is decided about the row as it stands.
      const effect = id === undefined ? undefined : await lockEffect(tx, id);
      if (effect === undefined) return nowhere(idOrKey);
      return asked.as === 'again'
        ? again(database, tx, effect, objection)
        : settle(database, tx, effect, { ...asked, as: asked.as });
    },
    (value) =>
      value.kind === 'refused' ? { outcome: 'refused', detail: value.code } : { outcome: 'done', detail: told(value) },
  );
}

const told = (value: Exclude<EffectResolution, Refused>): string => {
  if (value.as === 'again') return value.checkFirst ? 'again, FileMaker is asked first' : 'again, not asked first';
  return `${value.as}, was ${value.was}`;
};

async function again(
  database: Database,
  tx: Executor,
  effect: EffectRow,
  objection: (effect: EffectRow) => Refused | undefined,
): Promise<EffectResolution> {
  if (effect.state !== 'parked') return whyNot(effect, 'again');
  const checked = mayGoOn(effect, objection);
  if ('code' in checked) return checked;
  const { checkFirst } = checked;
  const { id, title } = effect;
  if (await createEffectStore(database).releaseParked(id, { checkFirst }, tx))
    return { kind: 'resolved', as: 'again', id, title, checkFirst };
  return refused('EFFECT_IN_HAND', `${nameOf(effect)} is in a worker's hand. Try again in a few seconds.`);
}

/** Whether a parked effect may be sent again, and whether FileMaker is asked before. */
export function mayGoOn(
  effect: EffectRow,
  objection: (effect: EffectRow) => Refused | undefined,
): { checkFirst: boolean } | Refused {
  const log = keepsLog(effect);
  if (log === undefined) {
    return refused(
      'EFFECT_TARGET_UNREADABLE',
      `Where ${nameOf(effect)} should go cannot be read, so it cannot be sent.`,
    );
  }
  return objection(effect) ?? { checkFirst: log && !LOG_CANNOT_DECIDE.has(effect.reasonCode ?? '') };
}

async function settle(
  database: Database,
  tx: Executor,
  effect: EffectRow,
  { as, by, why }: Asked & { as: 'done' | 'cancelled' },
): Promise<EffectResolution> {
  const { id, title, state } = effect;
  if (state !== 'parked' && state !== 'unknown') return whyNot(effect, as);
  const result = { resolvedBy: by, why };
  if (await createEffectStore(database).resolveParked(tx, id, { as, result }))
    return { kind: 'resolved', as, id, title, was: state };
  return refused(
    'EFFECT_IN_HAND',
    `A worker is asking FileMaker about ${nameOf(effect)} at this moment. Try again in a few seconds.`,
  );
}

/** What must not be decided by the way; undefined: it may go on with the others. Why it waits stands beside it already. */
export function whyAlone(effect: EffectRow): Refused | undefined {
  const { id, attempts, checkFirst } = effect;
  const code = effect.reasonCode ?? '';
  const alone = (because: string): Refused =>
    refused(
      'EFFECT_NEEDS_DECISION',
      `${nameOf(effect)} is decided alone, because ${because}. Look first: ./bridge effects show ${id}`,
    );
  if (code === BEFORE_GO_LIVE) return alone('its money is from before the bridge went live');
  if (MONEY_IN_QUESTION.has(code)) return alone('its money is in question');
  // Where a log can be asked, `again` asks it before anything is sent; elsewhere only a look can tell.
  const unproved = (attempts > 0 || checkFirst) && keepsLog(effect) !== true;
  return unproved || LOG_CANNOT_DECIDE.has(code) || NOT_PROVED.has(code) ? alone('it may have run') : undefined;
}

/** What a retry would do with an effect; `title` is a sentence without customer data. */
export interface ExplainedEffect {
  id: string;
  title: string;
  retry: { kind: 'releases'; checkFirst: boolean } | Refused;
}

/** The rules of `retryEffect`, told beforehand; nothing is changed. Ids that are not there are left out. */
export async function explainEffectRetries(database: Database, ids: readonly string[]): Promise<ExplainedEffect[]> {
  return (await readEffectRows(database, ids)).map((effect) => {
    const checked = effect.state === 'parked' ? mayGoOn(effect, whyAlone) : whyNot(effect, 'again');
    return {
      id: effect.id,
      title: effect.title,
      retry: 'code' in checked ? checked : { kind: 'releases', ...checked },
    };
  });
}

function whyNot(effect: EffectRow, as: Resolution): Refused {
  const name = nameOf(effect);
  switch (effect.state) {
    case 'done':
      return refused(
        'EFFECT_DONE',
        as === 'again' ? `${name} is done; doing it again would do it twice.` : `${name} is done already.`,
      );
    case 'cancelled':
      return refused('EFFECT_CANCELLED', `${name} was cancelled.`);
    case 'sending':
      return refused('EFFECT_IN_HAND', `${name} is being sent at this moment. Look again in a minute.`);
    case 'unknown': {
      const reason = effect.reason === null ? '' : ` (${effect.reason})`;
      return refused(
        'EFFECT_UNKNOWN',
        `${name} was sent and its answer is not known${reason}: it may have run, and sending it now could do it twice. The bridge is asking FileMaker; or look there yourself and decide: ./bridge effects resolve ${effect.id} --as done or --as cancelled`,
      );
    }
    default:
      return refused('EFFECT_ON_ITS_WAY', `${name} goes on by itself; it does not wait for a person.`);
  }
}
