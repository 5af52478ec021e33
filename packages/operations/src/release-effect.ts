import type { Database } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { z } from 'zod';
import { audited } from './audit';
import { readEffect } from './read-engine-tables';

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

/** May FileMaker be asked whether this effect has happened? Undefined: the target says nothing that we understand. */
function canBeAsked(kind: string, target: unknown): boolean | undefined {
  if (kind !== 'filemaker-script') return true;
  const read = filemakerScriptTarget.pick({ contract: true, probe: true }).safeParse(target);
  if (!read.success) return undefined;
  return read.data.contract === 'kit' || read.data.probe !== null;
}

export type RefusalCode =
  | 'EFFECT_NOT_FOUND'
  | 'EFFECT_DONE'
  | 'EFFECT_CANCELLED'
  | 'EFFECT_UNKNOWN'
  | 'EFFECT_ON_ITS_WAY'
  | 'EFFECT_TARGET_UNREADABLE'
  | 'EVENT_NOT_FOUND'
  | 'EVENT_ON_ITS_WAY'
  | 'EVENT_BODY_ERASED';

export interface Refused {
  kind: 'refused';
  code: RefusalCode;
  /** A sentence for the person who asked. */
  reason: string;
}

export type EffectRelease =
  | {
      kind: 'released';
      id: string;
      title: string;
      /** True: FileMaker is asked first, and the script runs only when it is proved not to have run. */
      checkFirst: boolean;
    }
  | Refused;

/** Who asks, and why; both go into the audit row. */
export interface Asked {
  by: string;
  why: string;
}

const refused = (code: RefusalCode, reason: string): Refused => ({ kind: 'refused', code, reason });
export const ROW_ID = /^\d{1,18}$/;

/**
 * A person decides that a parked effect goes on. Where FileMaker can be asked it is asked first; where it cannot, the
 * person's word counts. Anything but a parked effect is refused: an unknown one settles by asking, never by guessing.
 */
export function releaseEffect(database: Database, id: string, { by, why }: Asked): Promise<EffectRelease> {
  return audited(
    database,
    { who: by, action: 'effect.release', object: `effect:${id}`, why },
    () => release(database, id),
    (release) =>
      release.kind === 'released'
        ? { outcome: 'done', detail: release.checkFirst ? 'FileMaker is asked first' : 'not asked first' }
        : { outcome: 'refused', detail: release.code },
  );
}

async function release(database: Database, id: string): Promise<EffectRelease> {
  const effect = ROW_ID.test(id) ? await readEffect(database, id) : undefined;
  if (effect === undefined) return refused('EFFECT_NOT_FOUND', `There is no effect ${id}.`);
  if (effect.state !== 'parked') return whyNotParked(effect);
  const checkFirst = canBeAsked(effect.kind, effect.target);
  if (checkFirst === undefined) {
    return refused(
      'EFFECT_TARGET_UNREADABLE',
      `Where "${effect.title}" (effect ${id}) should go cannot be read, so it cannot be sent.`,
    );
  }
  if (await createEffectStore(database).releaseParked(id, { checkFirst }))
    return { kind: 'released', id, title: effect.title, checkFirst };
  // Somebody else was faster; what they made of it is the answer.
  const now = await readEffect(database, id);
  return now === undefined ? refused('EFFECT_NOT_FOUND', `There is no effect ${id}.`) : whyNotParked(now);
}

function whyNotParked(effect: { id: string; title: string; state: string; reason: string | null }): Refused {
  const name = `"${effect.title}" (effect ${effect.id})`;
  switch (effect.state) {
    case 'done':
      return refused('EFFECT_DONE', `${name} is done; doing it again would do it twice.`);
    case 'cancelled':
      return refused('EFFECT_CANCELLED', `${name} was cancelled.`);
    case 'unknown':
    case 'sending':
      return refused(
        'EFFECT_UNKNOWN',
        `${name} was sent and its answer is not known yet${effect.reason === null ? '' : ` (${effect.reason})`}. The bridge asks FileMaker; sending it again now could do it twice.`,
      );
    default:
      return refused('EFFECT_ON_ITS_WAY', `${name} goes on by itself; it does not wait for a person.`);
  }
}
