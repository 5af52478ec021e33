import type { AttemptSummary } from '@bridge/effects';
import type { RecordedFact } from '@bridge/flow';
import { z } from 'zod';
import { nextForParkedEvent } from '../resolve/next-for-parked';
import type { ProofEffect, ProofEvent } from '../tables/read-proof-tables';
import { moneyText } from '../wording/money-text';
import { timeText, type Verdict } from './proof';

const told = z.object({
  log: z.object({ layout: z.string() }).nullish(),
  probe: z.object({ layout: z.string(), field: z.string() }).nullish(),
  script: z.string().nullish(),
  layout: z.string().nullish(),
  contract: z.string().nullish(),
});

/** Where an effect goes, as far as it can be read. */
export function targetOf(effect: Pick<ProofEffect, 'target'>): z.output<typeof told> {
  const read = told.safeParse(effect.target);
  return read.success ? read.data : {};
}

/** Who decided it, when a person did. */
export function decidedBy(effect: Pick<ProofEffect, 'result'>): string | null {
  const read = z.object({ resolvedBy: z.string() }).safeParse(effect.result);
  return read.success ? read.data.resolvedBy : null;
}

/** "by its log": what proves that a verified effect happened. */
export function proofOf(effect: Pick<ProofEffect, 'target'>, attempts: readonly AttemptSummary[]): string {
  const { log, probe, contract } = targetOf(effect);
  const there = attempts.findLast(({ verdict }) => verdict === 'there');
  const answered = attempts.findLast(({ purpose, verdict }) => purpose === 'send' && verdict === 'done');
  const asked = there !== undefined && (answered === undefined || BigInt(there.id) > BigInt(answered.id));
  if (asked && log != null) return 'proved by its log';
  if (probe != null && (asked || contract !== 'kit')) return `proved by field ${probe.field} on layout ${probe.layout}`;
  return answered === undefined ? 'proved by FileMaker' : "proved by the script's own answer, which names its key";
}

/** How reasons begin that are sentences of their own; names such as FileMaker keep their capital. */
const OWN_SENTENCE = /^(?:An?|Its?|Invoice|Money|No|Nobody|Somebody|The|There|These|This)\b/;

/** "the paid Checkout Session names no invoice (NO_INVOICE_ID)": a reason in the middle of a sentence. */
const because = (reason: string | null, code: string | null): string =>
  reason !== null
    ? `${reason.replace(OWN_SENTENCE, (word) => word.toLowerCase())}${code === null ? '' : ` (${code})`}`
    : (code ?? 'no reason was written down');

/** FileMaker's log holds something else than one row `done`: how far the script came cannot be told. */
const LOG_UNCLEAR: ReadonlySet<string> = new Set(['LOG_NOT_DONE', 'LOG_CONTRADICTS']);
/** Nothing has proved that it did not happen, however often we sent it: an older handler may have done it. */
const NOT_KNOWN: ReadonlySet<string> = new Set([
  'CANNOT_BE_ASKED',
  'PROBE_FOUND_NOTHING',
  'PROBE_CANNOT_PROVE',
  'SENTINEL_MISSING',
  'BEFORE_GO_LIVE',
]);

/** Of an effect that waits for a person, or that one has cancelled: "NOT applied" only where that is sure. */
function howFar({ reasonCode }: Pick<ProofEffect, 'reasonCode'>, attempts: readonly AttemptSummary[]): string {
  const code = reasonCode ?? '';
  if (code === 'SCRIPT_ROW_MISSING') return 'applied in part or whole, not proved';
  if (LOG_UNCLEAR.has(code)) return 'perhaps applied in part or whole, not proved';
  // The log holds this very key with other content, or an earlier sending has left something behind.
  if (
    code.startsWith('SCRIPT_KEY_CONFLICT') ||
    attempts.some((one) => one.purpose === 'send' && one.verdict === 'parked')
  )
    return 'perhaps applied in part or whole, not proved';
  const last = attempts.findLast(({ purpose, verdict }) =>
    purpose === 'send' ? verdict !== 'wait' : verdict === 'not-there',
  );
  const mayHaveRun = last?.purpose === 'send' && last.verdict !== 'refused';
  return mayHaveRun || NOT_KNOWN.has(code) ? 'not known to be applied' : 'NOT applied';
}

export interface VerdictFacts {
  fact: RecordedFact;
  /** The effect that applies the payment itself. */
  effect: ProofEffect | undefined;
  attempts: readonly AttemptSummary[];
  /** The event that is parked because of it. */
  parkedEvent: ProofEvent | undefined;
  timeZone: string;
  now: Date;
}

/** Stripe's own word for how a refund or dispute stands, as people read it: `needs response`. */
export const peerWord = (status: string): string => status.replaceAll('_', ' ');

function reversalsText(fact: RecordedFact): string {
  const texts = fact.reversals.map(
    ({ id, kind, amount, currency, status }) =>
      `${kind === 'refund' ? 'Refund' : 'Dispute'} ${id}: ${moneyText(amount, currency)}, ${peerWord(status)}.`,
  );
  return texts.length === 0 ? '' : ` ${texts.join(' ')}`;
}

/** What became of one payment. Pure. */
export function verdictOf(facts: VerdictFacts): Verdict {
  const { fact, effect, attempts, parkedEvent, timeZone, now } = facts;
  const time = (at: Date): string => timeText(at, timeZone, now);
  const money = moneyText(fact.amount, fact.currency);
  const say = (standing: Verdict['standing'], end: string, next: string | null = null): Verdict => {
    const paid = fact.succeededAt === null ? `${money} not paid` : `${money} paid ${time(fact.succeededAt)}`;
    return { id: fact.id, standing, next, sentence: `${fact.title}: ${paid}${end}${reversalsText(fact)}` };
  };
  if (fact.succeededAt === null && effect === undefined) return say('unpaid', ` (${fact.status}).`);
  if (effect === undefined) {
    const code = fact.parkedCode ?? 'NO_EFFECT';
    const reason = parkedEvent?.reason ?? (fact.parkedCode === null ? 'nothing was planned for it' : null);
    const next =
      parkedEvent === undefined ? null : nextForParkedEvent({ ...parkedEvent, reasonCode: code, objectId: fact.id });
    return say(
      'parked',
      `, NOT applied: waits for a person because ${because(reason, code)}${next === null ? '.' : `, next: ${next}`}`,
      next,
    );
  }
  const show = `./bridge effects show ${effect.id}`;
  const person = decidedBy(effect);
  const settled = effect.settledAt === null ? '' : ` ${time(effect.settledAt)}`;
  switch (effect.state) {
    case 'done':
      if (effect.verified === true)
        return say('applied', `, applied once in FileMaker${settled} (${proofOf(effect, attempts)}).`);
      return say(
        'unverified',
        person === null
          ? `, applied once in FileMaker${settled}, unverified: its answer alone says so.`
          : `, applied${settled}, unverified: by the word of ${person}.`,
      );
    case 'cancelled':
      return say(
        'cancelled',
        `, ${howFar(effect, attempts)}: cancelled${settled}${person === null ? '' : ` by ${person}`}.`,
      );
    case 'parked':
      return say(
        'parked',
        `, ${howFar(effect, attempts)}: waits for a person because ${because(effect.reason, effect.reasonCode)}, next: ${show}`,
        show,
      );
    case 'unknown':
      return say(
        'waiting',
        `, not known to be applied: it was sent, no answer was heard, and FileMaker is being asked (${because(effect.reason, effect.reasonCode)}).`,
        show,
      );
    case 'sending':
      return say('waiting', ', NOT applied yet: it is being sent now.', show);
    default:
      return say(
        'waiting',
        `, NOT applied yet: ${effect.checkFirst ? 'FileMaker is asked first whether it has run' : 'it waits its turn'}${effect.reasonCode === null ? '.' : `: ${because(effect.reason, effect.reasonCode)}.`}`,
        show,
      );
  }
}

const EVENT_ENDS = {
  received: 'it waits for a worker',
  processing: 'a worker is at it',
  processed: 'processed',
  ignored: 'ignored',
  parked: 'it waits for a person',
} as const;

/** Of an event that no recorded payment belongs to. */
export function verdictOfEvent(event: ProofEvent): Verdict {
  const why = event.reason === null ? event.reasonCode : because(event.reason, null);
  const next = event.state === 'parked' ? nextForParkedEvent(event) : null;
  return {
    id: event.eventId,
    standing: event.state === 'parked' ? 'parked' : event.state === 'received' ? 'waiting' : 'nothing-owed',
    next,
    sentence: `Event ${event.eventId} (${event.eventType}): ${EVENT_ENDS[event.state]}${why === null ? '' : ` because ${why}`}${next === null ? '.' : `, next: ${next}`}`,
  };
}

const EFFECT_STANDINGS = {
  done: 'applied',
  cancelled: 'cancelled',
  parked: 'parked',
  planned: 'waiting',
  sending: 'waiting',
  unknown: 'waiting',
} as const satisfies Record<ProofEffect['state'], Verdict['standing']>;

/** Of an effect that is not a recorded payment's own. */
export function verdictOfEffect(effect: ProofEffect): Verdict {
  const unverified = effect.state === 'done' && effect.verified !== true;
  const next = effect.state === 'parked' ? `./bridge effects show ${effect.id}` : null;
  const why = effect.state === 'parked' ? ` because ${because(effect.reason, effect.reasonCode)}` : '';
  return {
    id: effect.key,
    standing: unverified ? 'unverified' : EFFECT_STANDINGS[effect.state],
    next,
    sentence: `${effect.title}: ${effect.state}${unverified ? ', unverified' : ''}${why}${next === null ? '.' : `, next: ${next}`}`,
  };
}
