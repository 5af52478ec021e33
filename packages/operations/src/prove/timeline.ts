import type { AttemptSummary } from '@bridge/effects';
import type { RecordedFact } from '@bridge/flow';
import type { AuditRow } from '../audit/audit';
import type { ProofEffect, ProofEvent } from '../tables/read-proof-tables';
import { moneyText } from '../wording/money-text';
import { reasonText } from '../wording/reason-words';
import type { ProofEntry } from './proof';
import type { ProofFinding } from './read-findings';
import { decidedBy, peerWord, proofOf, targetOf } from './verdict-of';

const why = (reason: string | null, code: string | null): string => {
  const text = reasonText(reason, code);
  return text === '' ? '' : `: ${text}${code === null || text === code ? '' : ` (${code})`}`;
};

export function entriesOfFact(fact: RecordedFact): ProofEntry[] {
  const [charge] = fact.relatedIds.filter((id) => /^(ch|py)_/.test(id));
  const entries: ProofEntry[] = fact.reversals.map((reversal) => ({
    at: reversal.at,
    what: 'reversal',
    tone: 'note',
    sentence: `${fact.title}: ${reversal.kind} of ${moneyText(reversal.amount, reversal.currency)}, ${peerWord(reversal.status)}`,
    details: { id: reversal.id },
  }));
  if (fact.succeededAt !== null) {
    entries.push({
      at: fact.succeededAt,
      what: 'money',
      tone: 'fine',
      sentence: `${fact.title}: ${moneyText(fact.amount, fact.currency)} paid at Stripe${fact.livemode ? '' : ' (test mode)'}`,
      details: { session: fact.id, charge: charge ?? null },
    });
  }
  return entries;
}

const SOURCES = {
  webhook: 'came by webhook',
  pull: 'was fetched from Stripe',
  operator: "came by a person's command",
  reconciliation: 'was found by reconciliation',
} as const;

/** A person's second go at an event leaves `operator` in the place of how it came. */
const howItCame = ({ source, peer }: ProofEvent): string =>
  source === 'operator' && peer !== 'bridge'
    ? "came from Stripe, and was gone through again by a person's command"
    : SOURCES[source];

export function entriesOfEvent(event: ProofEvent): ProofEntry[] {
  const details = { event: event.eventId, row: event.id };
  const name = `${event.eventType} ${event.eventId}`;
  const entries: ProofEntry[] = [
    {
      at: event.receivedAt,
      what: 'delivery',
      tone: 'quiet',
      sentence: `Event ${name} ${howItCame(event)}`,
      details: { ...details, object: event.objectId, source: event.source },
    },
  ];
  if (event.createdAt !== null && event.peer !== 'bridge') {
    const made = { at: event.createdAt, what: 'event', tone: 'quiet', details } as const;
    entries.push({ ...made, sentence: `Stripe made event ${name}` });
  }
  if (event.deliveries > 1) {
    entries.push({
      at: event.lastDeliveryAt,
      what: 'delivery',
      tone: 'quiet',
      sentence: `Event ${event.eventId} came again, ${event.deliveries} times in all; this was the last`,
      details: { ...details, deliveries: event.deliveries },
    });
  }
  if (event.finishedAt !== null) {
    const words = { processed: 'was decided', ignored: 'needs nothing', parked: 'waits for a person' };
    const state = event.state === 'ignored' || event.state === 'parked' ? event.state : 'processed';
    entries.push({
      at: event.finishedAt,
      what: 'decision',
      tone: state === 'parked' ? 'waits' : 'quiet',
      sentence: `Event ${event.eventId} ${words[state]}${why(event.reason, event.reasonCode)}`,
      details: { ...details, state: event.state, code: event.reasonCode },
    });
  }
  return entries;
}

const SENT = {
  done: 'FileMaker did it',
  refused: 'FileMaker refused it and did nothing',
  unknown: 'no answer was heard',
  parked: 'the answer needs a person',
  wait: 'it was not sent after all',
  there: 'it has happened',
  'not-there': 'it has not happened',
} as const;
const ASKED = {
  there: 'it has',
  'not-there': 'proved that it has not',
  wait: 'it could not be told yet',
  parked: 'it cannot be told',
  unknown: 'no answer was heard',
  refused: 'FileMaker refused the question',
  done: 'it has',
} as const;

/** `beside`: other effects stand in the same timeline, so the sentence says which one it is about. */
export function entryOfAttempt(effect: ProofEffect, attempt: AttemptSummary, beside = false): ProofEntry {
  const { purpose, number, verdict, stage, code, detail, durationMs, worker, sessionId } = attempt;
  const { script, layout } = targetOf(effect);
  const goal = script == null ? '' : ` (script ${script}${layout == null ? '' : ` on layout ${layout}`})`;
  const lasting = durationMs === null ? '' : `, ${durationMs} ms`;
  const end = verdict === null ? 'no end was written down' : purpose === 'send' ? SENT[verdict] : ASKED[verdict];
  const said =
    purpose === 'send'
      ? `${beside ? `Effect ${effect.id} sent` : 'Sent'} to FileMaker, no. ${number}${goal}: ${end}${lasting}`
      : `FileMaker was asked whether "${effect.title}"${beside ? ` (effect ${effect.id})` : ''} has run: ${end}${lasting}`;
  const bad = verdict === null || verdict === 'unknown' || verdict === 'parked';
  return {
    at: attempt.beganAt,
    what: purpose === 'send' ? 'attempt' : 'cross-check',
    tone: verdict === 'done' || verdict === 'there' ? 'fine' : bad ? 'waits' : 'note',
    sentence: `${said}${verdict === 'done' || verdict === 'there' ? '' : why(detail, code)}`,
    details: { effect: effect.id, attempt: attempt.id, worker, session: sessionId, stage, code, verdict, durationMs },
  };
}

export function entriesOfEffect(
  effect: ProofEffect,
  attempts: readonly AttemptSummary[],
  beside = false,
): ProofEntry[] {
  const details = { effect: effect.id, key: effect.key };
  const planned: ProofEntry = {
    at: effect.plannedAt,
    what: 'planned',
    tone: 'quiet',
    sentence: `Planned: ${effect.title} (effect ${effect.id}, from ${effect.origin})`,
    details: { ...details, lane: effect.lane, origin: effect.origin },
  };
  const entries = [planned, ...attempts.map((attempt) => entryOfAttempt(effect, attempt, beside))];
  // What FileMaker's answer parked is told by that attempt.
  if (effect.state === 'parked' && attempts.length === 0) {
    entries.push({
      at: effect.plannedAt,
      what: 'planned',
      tone: 'waits',
      sentence: `${effect.title} (effect ${effect.id}) was not sent and waits for a person${why(effect.reason, effect.reasonCode)}`,
      details: { ...details, state: effect.state, code: effect.reasonCode },
    });
  }
  if (effect.settledAt !== null) {
    const person = decidedBy(effect);
    const done = effect.state === 'done';
    const how = !done
      ? `cancelled${person === null ? '' : ` by ${person}`}`
      : person !== null
        ? `counts as done by the word of ${person}, unverified`
        : effect.verified === true
          ? `done, ${proofOf(effect, attempts)}`
          : "done, unverified: the script's answer alone says so";
    entries.push({
      at: effect.settledAt,
      what: 'settled',
      tone: done ? 'fine' : 'note',
      sentence: `${effect.title}${beside ? ` (effect ${effect.id})` : ''}: ${how}`,
      details: { ...details, state: effect.state, verified: effect.verified },
    });
  }
  return entries;
}

export function entriesOfFinding(finding: ProofFinding): ProofEntry[] {
  const details = { finding: finding.id, class: finding.class, object: finding.objectId };
  const values = [
    ['Stripe', finding.stripeValue],
    ['records', finding.recordedValue],
    ['FileMaker', finding.filemakerValue],
  ].flatMap(([book, value]) => (value === null ? [] : [`${book} ${value}`]));
  const entries: ProofEntry[] = [
    {
      at: finding.firstSeen,
      what: 'finding',
      tone: finding.state === 'open' ? 'waits' : 'note',
      sentence: `Finding ${finding.id} (${finding.class}): ${finding.message}, ${moneyText(finding.amount, finding.currency)} at risk${values.length === 0 ? '' : ` [${values.join('; ')}]`}`,
      details,
    },
  ];
  if (finding.fixedAt !== null) {
    entries.push({
      at: finding.fixedAt,
      what: 'finding',
      tone: 'fine',
      sentence: `Finding ${finding.id} was put right, ${finding.fixedHow ?? 'by itself'}`,
      details,
    });
  }
  if (finding.acceptedAt !== null) {
    entries.push({
      at: finding.acceptedAt,
      what: 'finding',
      tone: 'note',
      sentence: `Finding ${finding.id} may stay so, says ${finding.acceptedBy ?? 'a person'}${finding.acceptedWhy === null ? '' : `: ${finding.acceptedWhy}`}`,
      details,
    });
  }
  return entries;
}

export function entryOfAct(row: AuditRow): ProofEntry {
  const outcome = row.outcome === null ? 'its end was not written down' : row.outcome;
  return {
    at: row.at,
    what: 'act',
    tone: row.outcome === 'done' ? 'note' : 'waits',
    sentence: `${row.who}: ${row.action} of ${row.object}, ${outcome}${row.detail === null ? '' : ` (${row.detail})`}. Why: ${row.why}`,
    details: { act: row.id, object: row.object },
  };
}

const ORDER: readonly ProofEntry['what'][] = [
  'money',
  'event',
  'reversal',
  'delivery',
  'finding',
  'decision',
  'planned',
  'act',
  'attempt',
  'cross-check',
  'settled',
];

/** The oldest first; of one moment in the order in which things follow each other. */
export const sortEntries = (entries: readonly ProofEntry[]): ProofEntry[] =>
  [...entries].sort((a, b) => a.at.getTime() - b.at.getTime() || ORDER.indexOf(a.what) - ORDER.indexOf(b.what));
