import type { Database } from '@bridge/database';
import { type RecoveryStart, readRecoveryStart } from '@bridge/installation';
import { type Comparison, type EventWatermark, readEventWatermark, readLatestComparison } from '@bridge/reconciliation';
import { type Line, spell } from '../status/status-lines';

/** How the fetching of events and the cut-over beside an older handler stand. */
export interface CutOverFacts {
  watermark: EventWatermark | undefined;
  comparison: Comparison | undefined;
  start: RecoveryStart;
  at: Date;
  /** MODE=observe by the asker's configuration: how many effects are planned. Null: it is live. */
  observing: { waiting: number } | null;
}

export async function readCutOver(
  database: Database,
  configured: Date | undefined,
  at: Date,
): Promise<Omit<CutOverFacts, 'observing'>> {
  return {
    watermark: await readEventWatermark(database.executor),
    comparison: await readLatestComparison(database),
    start: await readRecoveryStart(database.executor, configured),
    at,
  };
}

/** Ten fetches that did not succeed, at one a minute. */
const SILENT_MS = 600_000;
/** Beside webhooks fetching is the second way: it may be away longer before somebody is told. */
const SECOND_WAY_SILENT_MS = 3_600_000;
/** What Stripe's list does not reach any more is told for so long after it was met. */
const MISSED_TOLD_MS = 7 * 86_400_000;
/** What a restore has left to be asked about is settled by then, or told for itself. */
const RESTORE_TOLD_MS = 7 * 86_400_000;

/** Pure. */
export function describeCutOver({ watermark, comparison, start, at, observing }: CutOverFacts): Line[] {
  const lines: Line[] = [];
  if (observing !== null) lines.push(observingLine(start, at, observing.waiting));
  if (start.restoredAt !== null && at.getTime() - start.restoredAt.getTime() < RESTORE_TOLD_MS)
    lines.push(restoredLine(start.restoredAt, at));
  if (watermark !== undefined) lines.push(...fetchLines(watermark, at));
  if (!start.live && comparison !== undefined) lines.push(comparisonLine(comparison));
  return lines;
}

/** Without it nothing says why what is planned is not sent. */
function observingLine({ at: from, because, live }: RecoveryStart, at: Date, waiting: number): Line {
  const line = { next: './bridge golive', cause: 'OBSERVING', always: true } as const;
  if (because === 'golive' && from <= at) {
    return {
      ...line,
      tone: 'waits',
      sentence: `The bridge was told to go live from ${from.toISOString()}, and MODE=observe still holds: nothing is sent to FileMaker. Set MODE=live and start it anew (docs/cut-over.md).`,
    };
  }
  const planned =
    waiting === 0
      ? ''
      : ` ${waiting} planned ${waiting === 1 ? 'waits' : 'wait'} ${live ? 'for MODE=live' : 'until you say from when it is live'}.`;
  return {
    ...line,
    tone: 'note',
    sentence: `The bridge only observes (MODE=observe): it decides and records, and sends nothing to FileMaker.${planned} See docs/cut-over.md.`,
  };
}

const restoredLine = (restoredAt: Date, at: Date): Line => ({
  tone: 'note',
  sentence: `The database was restored from a backup; that was noticed ${spell((at.getTime() - restoredAt.getTime()) / 1_000)} ago. What was planned by then, and money from before, begins with a question to FileMaker; events since the backup are fetched again.`,
  next: './bridge runbook restored-from-backup',
  cause: 'DATABASE_RESTORED',
  always: true,
});

function fetchLines({ delivery, sinceFetchedMs, failing, missed }: EventWatermark, at: Date): Line[] {
  const lines: Line[] = [];
  const silentMs = sinceFetchedMs ?? (failing === null ? 0 : at.getTime() - failing.since.getTime());
  const why = failing === null ? '' : ` (${failing.code}: ${failing.message})`;
  const silence = spell(silentMs / 1_000);
  if (delivery === 'pull' && silentMs >= SILENT_MS) {
    lines.push({
      tone: 'broken',
      sentence: `Events have not been fetched from Stripe for ${silence}${why}: payments of that time are not known here.`,
      next: './bridge doctor',
      cause: 'EVENTS_NOT_FETCHED',
    });
  }
  if (delivery === 'reconciliation' && silentMs >= SECOND_WAY_SILENT_MS) {
    lines.push({
      tone: 'waits',
      sentence: `For ${silence} nobody has looked which events the webhooks missed${why}.`,
      next: './bridge doctor',
      cause: 'EVENTS_NOT_FETCHED',
    });
  }
  if (missed !== null && at.getTime() - missed.seenAt.getTime() < MISSED_TOLD_MS) {
    lines.push({
      tone: 'waits',
      sentence: `Events from ${missed.from.toISOString()} to ${missed.until.toISOString()} are gone from Stripe's list, which reaches back 30 days: payments of that time are found by their Sessions.`,
      next: `./bridge reconcile invoices --since ${missed.from.toISOString()} --dry-run`,
      cause: 'EVENTS_GONE',
    });
  }
  return lines;
}

/** The report of the night, in one sentence; `golive` shows it at length. */
export function comparisonSentence({ compared, shown, notShown, cannotTell }: Comparison): string {
  const rest = [
    ...(notShown === 0 ? [] : [`it does not show ${notShown}`]),
    ...(cannotTell === 0 ? [] : [`of ${cannotTell} it cannot tell`]),
  ].join(', and ');
  return `Observing: of ${compared} that the bridge would have sent, FileMaker shows ${shown}${rest === '' ? '' : `; ${rest}`}.`;
}

const comparisonLine = (comparison: Comparison): Line => ({
  tone: 'note',
  sentence: comparisonSentence(comparison),
  next: './bridge golive',
});
