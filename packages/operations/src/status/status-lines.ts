import type { LaneHold } from '@bridge/effects';
import type { Closure } from '@bridge/gates';
import { scopeAsTyped } from '../gates/gate-acts';
import { wayOut } from '../gates/ways-out';
import { nextForParkedEvent } from '../resolve/next-for-parked';
import type { OverdueEffect } from '../tables/read-figures';
import { moneyText } from '../wording/money-text';
import type { ParkedItem, StatusFigures } from './status-figures';

/**
 * One sentence for people. `broken`: work stands still. `waits`: a person should act. `note`: good to know. `fine`: all is
 * well there.
 */
export interface StatusLine {
  tone: 'broken' | 'waits' | 'note' | 'fine';
  sentence: string;
  /** The command to type next: what mends it, or what shows more. */
  next: string;
  /** The page that says more: `/runbooks/<name>`, `./bridge runbook <name>`. */
  runbook: string | null;
  /** Explains the others: never left out of a short list. */
  always?: true;
}

/** With the code that leads to a page, where one does. */
export type Line = Omit<StatusLine, 'runbook'> & { cause?: string };

/** An event that is older than this and unfinished is worth a word. */
const LATE_SECONDS = 60;
const ORDER: readonly StatusLine['tone'][] = ['broken', 'waits', 'note', 'fine'];

/** Pure: what the figures mean for a person. */
export function describeStatus(facts: {
  pendingMigrations: readonly string[];
  figures: StatusFigures | null;
  at: Date;
  /** Lines of others, for the same page. */
  more?: readonly Line[];
  /** The page that a code leads to. */
  runbookOf?: (cause: string) => string | undefined;
}): StatusLine[] {
  const { runbookOf = () => undefined } = facts;
  return linesOf(facts).map(({ cause, ...line }) => ({
    ...line,
    runbook: cause === undefined ? null : (runbookOf(cause) ?? null),
  }));
}

function linesOf(facts: {
  pendingMigrations: readonly string[];
  figures: StatusFigures | null;
  at: Date;
  more?: readonly Line[];
}): Line[] {
  const { pendingMigrations, figures, at } = facts;
  const lines: Line[] = [];
  if (pendingMigrations.length > 0) {
    const first = pendingMigrations[0] ?? '';
    const others = pendingMigrations.length > 1 ? ` and ${pendingMigrations.length - 1} more` : '';
    lines.push({
      tone: 'broken',
      sentence: `The database is not up to date: ${first}${others} ${pendingMigrations.length > 1 ? 'are' : 'is'} not applied.`,
      next: './bridge migrate',
      cause: 'MIGRATIONS_PENDING',
    });
  }
  if (figures === null) return lines;
  lines.push(...figures.closures.map((closure) => closureLine(closure, at)));
  lines.push(...processLines(figures));
  lines.push(...figures.parked.newest.map(parkedLine));
  const unseen = figures.parked.effects + figures.parked.events - figures.parked.newest.length;
  if (unseen > 0) {
    lines.push({
      tone: 'waits',
      sentence: `${unseen} more ${unseen === 1 ? 'waits' : 'wait'} for a person.`,
      next: `./bridge ${figures.parked.effects > 0 ? 'effects' : 'events'} list --state parked`,
    });
  }
  lines.push(...holdLines(figures));
  lines.push(...overdueLines(figures, at));
  const { oldestUnfinishedSeconds, otherModeLastDay } = figures.inbox;
  if (otherModeLastDay > 0) {
    lines.push({
      // One stray event of a test must not look like trouble for a day: it is told, and nobody is called.
      tone: 'note',
      sentence: `${otherModeLastDay} ${otherModeLastDay === 1 ? 'event' : 'events'} of the other mode came in the last 24 hours: a test endpoint points at a live bridge, or the other way round. Nothing was done for ${otherModeLastDay === 1 ? 'it' : 'them'}.`,
      next: './bridge events list --state ignored',
      cause: 'OTHER_LIVEMODE',
    });
  }
  if (oldestUnfinishedSeconds > LATE_SECONDS) {
    lines.push({
      tone: 'waits',
      sentence: `The oldest event that is not finished came ${spell(oldestUnfinishedSeconds)} ago.`,
      next: './bridge events list --state received',
    });
  }
  const { counts, unverifiedDone } = figures.effects;
  const asking = counts.unknown - figures.overdue.unknown;
  if (asking > 0) {
    lines.push({
      tone: 'note',
      sentence: `${asking} sent without hearing the answer; the bridge is asking FileMaker.`,
      next: './bridge effects list --state unknown',
    });
  }
  if (unverifiedDone > 0) {
    lines.push({
      tone: 'note',
      sentence: `${unverifiedDone} done and unverified: a plain script's answer or a person's word, and nothing to prove it.`,
      next: './bridge runbook unverified',
      cause: 'UNVERIFIED',
    });
  }
  lines.push(...recoveryLines(figures, at));
  lines.push(...(facts.more ?? []));
  if (!lines.some((line) => line.tone === 'waits' || line.tone === 'broken')) {
    const other = lines.some(({ cause }) => cause === 'OBSERVING') ? 'Nothing else' : 'Nothing';
    lines.push({ tone: 'fine', sentence: `${other} waits for you.`, next: './bridge doctor' });
  }
  return lines.sort(
    (a, b) => ORDER.indexOf(a.tone) - ORDER.indexOf(b.tone) || Number(b.always ?? false) - Number(a.always ?? false),
  );
}

/** Pure: the most urgent ones and those that explain them, and in the last place how many more there are. */
export function topLines(lines: readonly StatusLine[], most: number): StatusLine[] {
  if (lines.length <= most) return [...lines];
  const ranked = [...lines.filter(({ always }) => always === true), ...lines.filter(({ always }) => always !== true)];
  const kept = new Set(ranked.slice(0, most - 1));
  const rest = lines.filter((line) => !kept.has(line));
  const urgent = rest.filter(({ tone }) => tone === 'broken' || tone === 'waits').length;
  // Lines, not things: one line may stand for many payments.
  const waiting =
    urgent === 0 ? '' : `, ${urgent === rest.length ? 'all' : `${urgent} of them`} about what waits for you`;
  return [
    ...lines.filter((line) => kept.has(line)),
    {
      tone: rest[0]?.tone ?? 'note',
      sentence: `${rest.length} more lines${waiting}.`,
      next: './bridge status --all',
      runbook: null,
    },
  ];
}

/** A pass that comes every few minutes has been missed many times by then. */
const RECONCILED_LATE_SECONDS = 3_600;

/** What a pass looks at, as a part of a sentence; a pass that is new to this version goes by its name. */
export const passWords = (pass: string): string => PASS_WORDS[pass] ?? pass;

const PASS_WORDS: Readonly<Record<string, string>> = {
  pending: 'payments that wait for their money',
  recent: 'payments of the last day',
  nightly: 'payments of the last 15 days',
  reversals: 'refunds and disputes',
};

/** What looks for missed webhooks, what it has found, and the last day that was closed. */
function recoveryLines({ recovery, processes }: StatusFigures, at: Date): Line[] {
  const { passes, standing, openFindings, pulledAt, lastClosedDay, unsentLetter } = recovery;
  const lines: Line[] = [];
  if (openFindings.length > 0) {
    const count = openFindings.reduce((sum, one) => sum + one.count, 0);
    const money = openFindings
      .filter(({ amount }) => amount > 0)
      .map(({ amount, currency }) => moneyText(amount, currency));
    lines.push({
      tone: 'waits',
      sentence: `Reconciliation has ${count} open ${count === 1 ? 'finding' : 'findings'}${money.length === 0 ? '' : `: ${money.join(' and ')} at risk`}.`,
      next: './bridge findings list',
      cause: 'FINDINGS_OPEN',
    });
  }
  if (unsentLetter !== null) {
    lines.push({
      tone: 'waits',
      sentence: `The letter about ${unsentLetter.day} was not sent for sure${unsentLetter.detail === null ? '' : `: ${unsentLetter.detail}`}.`,
      next: `./bridge close ${unsentLetter.day}`,
      cause: 'LETTER_NOT_SENT',
    });
  }
  const ago = (then: Date): string => `${spell((at.getTime() - then.getTime()) / 1_000)} ago`;
  for (const { flow, pass, since, reason } of standing) {
    lines.push({
      tone: 'waits',
      sentence: `The look for missed webhooks of ${flow} at ${passWords(pass)} has not come to its end, wanted ${ago(since)}: ${reason}`,
      next: './bridge doctor',
      cause: 'SCHEDULE_LATE',
    });
  }
  for (const [flow, ofFlow] of Map.groupBy(passes, (pass) => pass.flow)) {
    const newest = ofFlow.reduce((a, b) => (b.endedAt > a.endedAt ? b : a));
    const late = (at.getTime() - newest.endedAt.getTime()) / 1_000 > RECONCILED_LATE_SECONDS;
    lines.push(
      late
        ? {
            tone: 'waits',
            sentence: `Missed webhooks of ${flow} were last looked for ${ago(newest.endedAt)}: what was missed since is not found.`,
            next: './bridge doctor',
            cause: 'SCHEDULE_LATE',
          }
        : {
            tone: 'fine',
            sentence: `Missed webhooks of ${flow} were looked for: ${ofFlow.map(({ pass, endedAt }) => `${passWords(pass)} ${ago(endedAt)}`).join(', ')}.`,
            next: './bridge findings list',
          },
    );
  }
  if (passes.length === 0 && processes.living.some(({ app }) => app === 'worker')) {
    lines.push({ tone: 'note', sentence: 'Missed webhooks have not been looked for yet.', next: './bridge doctor' });
  }
  if (pulledAt !== null)
    lines.push({
      tone: 'fine',
      sentence: `Events were last fetched from Stripe ${ago(pulledAt)}.`,
      next: './bridge events list',
    });
  if (lastClosedDay !== null)
    lines.push({ tone: 'fine', sentence: `The last closed day is ${lastClosedDay}.`, next: './bridge report' });
  return lines;
}

function closureLine(closure: Closure, at: Date): Line {
  const scope = scopeAsTyped(closure.scope);
  const lasting = spell((at.getTime() - closure.since.getTime()) / 1_000);
  if (closure.kind === 'circuit') {
    return {
      tone: 'broken',
      sentence: `${peerName(scope)} has not answered for ${lasting} (${closure.detail}). Work goes on by itself when it is back.`,
      next: './bridge runbook peer-away',
      cause: closure.cause,
    };
  }
  if (closure.kind === 'window') {
    return {
      tone: 'note',
      sentence: `${peerName(scope)} is in its maintenance window: ${closure.detail}. Work goes on by itself then.`,
      next: './bridge runbook maintenance-window',
      cause: closure.cause,
    };
  }
  const next = `./bridge resume ${scope} --why "…"`;
  if (closure.kind === 'pause') {
    const sentence = `${peerName(scope)} has been paused for ${lasting} by ${closure.by}: ${closure.detail}`;
    return { tone: 'waits', sentence, next, cause: closure.cause };
  }
  const advice = wayOut(closure.cause);
  return {
    tone: 'broken',
    sentence: `${peerName(scope)} has been halted for ${lasting} (${closure.cause}): ${closure.detail}${advice === undefined ? '' : `. ${advice} Then resume.`}`,
    next,
    cause: closure.cause,
  };
}

const peerName = (scope: string): string =>
  scope === 'filemaker' ? 'FileMaker' : `${scope.charAt(0).toUpperCase()}${scope.slice(1)}`;

function processLines({ processes, inbox, effects }: StatusFigures): Line[] {
  const alive = (app: string): boolean => processes.living.some((process) => process.app === app);
  const owed = inbox.counts.received + inbox.counts.processing + effects.counts.planned + effects.counts.unknown;
  const lines: Line[] = [];
  if (!alive('worker')) {
    const was = processes.everSeen.includes('worker');
    lines.push({
      tone: was || owed > 0 ? 'broken' : 'note',
      sentence: was ? 'No worker is running: nothing reaches FileMaker.' : 'No worker was started yet.',
      next: './bridge up',
      cause: 'WORKER_MISSING',
    });
  }
  if (!alive('scheduler') && processes.everSeen.includes('scheduler')) {
    lines.push({
      tone: 'broken',
      sentence: 'No scheduler is running: missed webhooks are not looked for.',
      next: './bridge up',
      cause: 'SCHEDULER_MISSING',
    });
  }
  return lines;
}

/** An hour without an answer is told among what is overdue. */
const OVERDUE_MS = 3_600_000;

/** What keeps a lane waiting: a record that somebody has open in FileMaker, an answer that has not come. */
function holdLines({ holds }: StatusFigures): Line[] {
  return holds
    .filter((hold) => hold.because === 'refused' || hold.sinceMs < OVERDUE_MS)
    .map((hold) => ({
      tone: hold.because === 'refused' ? 'waits' : 'note',
      sentence: holdSentence(hold),
      next: `./bridge effects show ${hold.id}`,
      ...(hold.code === null ? {} : { cause: hold.code }),
    }));
}

/** Codes that say: somebody has the record open. */
const LOCKED = /RECORD_LOCKED/;

/** Words for the one who may have the record open, and for the one who asks why an invoice does not move. */
export function holdSentence(hold: LaneHold): string {
  const lasting = spell(hold.sinceMs / 1_000);
  const behind = hold.behind === 0 ? '' : ` ${hold.behind} more ${hold.behind === 1 ? 'waits' : 'wait'} behind it.`;
  if (hold.because === 'unknown') {
    return `${hold.title}: sent ${lasting} ago, and FileMaker is being asked whether it has run${hold.reason === null ? '' : `: ${hold.reason}`}.${behind}`;
  }
  if (!LOCKED.test(hold.code ?? '')) {
    return `${hold.title}: FileMaker has refused it for ${lasting}${hold.reason === null ? '' : `: ${hold.reason}`}. It is tried again by itself.${behind}`;
  }
  return `${hold.title}: for ${lasting} somebody has had ${recordOf(hold)} open in FileMaker. Who is it? Please save the record and leave it; the script is tried again by itself.${behind}`;
}

function recordOf({ subject, target }: LaneHold): string {
  const record = subject.invoiceId === undefined ? 'the record' : `invoice ${subject.invoiceId}`;
  const layout = typeof target === 'object' && target !== null && 'layout' in target ? target.layout : undefined;
  return typeof layout === 'string' ? `${record} (layout ${layout})` : record;
}

/** What should have been settled by asking long ago: something keeps the bridge from asking, or the answer from coming. */
function overdueLines({ overdue }: StatusFigures, at: Date): Line[] {
  const lines: Line[] = overdue.oldest.map((effect) => ({
    tone: 'waits',
    sentence: overdueSentence(effect, spell((at.getTime() - effect.since.getTime()) / 1_000)),
    next: `./bridge effects show ${effect.id}`,
    cause: effect.state === 'unknown' ? 'UNKNOWN_FOR_LONG' : 'CHECK_FIRST_FOR_LONG',
  }));
  const more = overdue.unknown + overdue.checkFirst - overdue.oldest.length;
  if (more > 0) {
    lines.push({
      tone: 'waits',
      sentence: `${more} more ${more === 1 ? 'is' : 'are'} not settled after an hour.`,
      next: `./bridge effects list --state ${overdue.unknown > 0 ? 'unknown' : 'planned'}`,
    });
  }
  return lines;
}

function overdueSentence({ title, state, reasonCode, reason }: OverdueEffect, lasting: string): string {
  const because = reason ?? reasonCode;
  const why = because === null ? '.' : `: ${because}`;
  return state === 'unknown'
    ? `${title}: sent, and for ${lasting} nobody could tell whether it has run${why}`
    : `${title}: has waited ${lasting} for FileMaker to be asked whether it has run${why}`;
}

/** What it is about comes first: an effect's title, or for an event, whose id says nothing to people, the reason. */
function parkedLine(item: ParkedItem): Line {
  const reason = item.reason === '' ? item.reasonCode : item.reason;
  const money = item.money === null ? '' : moneyText(item.money.amount, item.money.currency);
  return {
    tone: 'waits',
    sentence:
      item.kind === 'effect'
        ? `${item.title}${money === '' ? '' : `, ${money}`}: ${reason}`
        : `${reason}${money === '' ? '' : `: ${money}`} (event ${item.id})`,
    next: item.kind === 'effect' ? `./bridge effects show ${item.id}` : nextForParkedEvent(item),
    cause: item.reasonCode,
  };
}

/** 42 s, 3 min, 5 h, 2 days. */
export function spell(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 7_200) return `${Math.round(whole / 60)} min`;
  if (whole < 172_800) return `${Math.round(whole / 3_600)} h`;
  return `${Math.round(whole / 86_400)} days`;
}
