import type { FactScript, FilemakerConfig } from '@bridge/config';
import { type FileMakerFault, fault } from './faults';

const NAMES_SHOWN = 8;

/** What FileMaker lists for the account. */
export interface NamesSeen {
  layouts: ReadonlySet<string>;
  /** A name that stands twice is listed twice. */
  scripts: readonly string[];
}

interface Judged {
  detail: string;
  faults: FileMakerFault[];
}

/** Is everything there that a payment starts? Pure. */
export function judgeScripts({ layouts, scripts }: NamesSeen, wanted: readonly FactScript[]): Judged {
  const faults = [...new Set(wanted.map(({ layout }) => layout))]
    .filter((layout) => !layouts.has(layout))
    .map((layout) => fault('LAYOUT_MISSING', layout));
  for (const script of new Set(wanted.map((one) => one.script))) {
    const count = scripts.filter((name) => name === script).length;
    if (count === 0) faults.push(fault('SCRIPT_MISSING', script));
    if (count > 1) faults.push(fault('SCRIPT_NAMED_TWICE', script));
  }
  return { detail: wanted.map(({ script, layout }) => `${script} on ${layout}`).join(', '), faults };
}

/** Does the account see more than it needs? Pure. */
export function judgeAccount(
  { layouts, scripts }: NamesSeen,
  wanted: readonly FactScript[],
  { log, handoffLayout }: Pick<FilemakerConfig, 'log' | 'handoffLayout'>,
): Judged {
  const neededLayouts = new Set([
    ...wanted.map(({ layout }) => layout),
    ...wanted.flatMap(({ probe }) => (probe === undefined ? [] : [probe.layout])),
    ...(log === undefined ? [] : [log.layout]),
    ...(handoffLayout === undefined ? [] : [handoffLayout]),
  ]);
  const neededScripts = new Set(wanted.map(({ script }) => script));
  const distinct = new Set(scripts);
  const moreLayouts = [...layouts].filter((name) => !neededLayouts.has(name));
  const moreScripts = [...distinct].filter((name) => !neededScripts.has(name));
  return {
    detail: `sees ${counted(layouts.size, 'layout')} and ${counted(distinct.size, 'script')}`,
    faults: [
      ...(moreLayouts.length === 0 ? [] : [fault('MORE_LAYOUTS_THAN_NEEDED', shortened(moreLayouts))]),
      ...(moreScripts.length === 0 ? [] : [fault('MORE_SCRIPTS_THAN_NEEDED', shortened(moreScripts))]),
    ],
  };
}

/** The name of the kit's log: table occurrence and layout (filemaker/README.md, step 1). */
const KIT_LOG = 'bridge_log';
/** Without it the kit takes each repeat of a payment for another one. */
const KIT_HASH = 'payload_hash';
/** What the kit's script writes into its log. */
export const KIT_LOG_FIELDS: readonly string[] = [
  'idempotency_key',
  'state',
  'result',
  'script',
  KIT_HASH,
  'invoice_id',
  'started_at',
  'finished_at',
  'attempt',
];

/** Does the kit's log hold all that the kit writes? Of another log nobody knows what it needs. Pure. */
export function judgeKitLog(
  log: NonNullable<FilemakerConfig['log']>,
  shown: ReadonlySet<string>,
  wanted: readonly FactScript[],
): FileMakerFault[] {
  if (log.layout !== KIT_LOG || !wanted.some(({ contract }) => contract === 'kit')) return [];
  const looked = new Set([log.keyField, log.stateField, log.resultField]);
  return KIT_LOG_FIELDS.filter((field) => !shown.has(field) && !looked.has(field)).map((field) =>
    fault(field === KIT_HASH ? 'LOG_HASH_MISSING' : 'LOG_KIT_FIELD_MISSING', field),
  );
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function shortened(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return more > 0 ? `${names.slice(0, NAMES_SHOWN).join(', ')} and ${more} more` : names.join(', ');
}
