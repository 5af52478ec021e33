import { type FileMakerBooks, repeatedRuns, type StripeBooks } from '@bridge/test-services';
import type { Sale } from './load';
import type { Expectations } from './scenario';
import type { Outage } from './strike';

/** What is known after a scenario: the books of both simulators, and what the bridge itself still owes or has parked. */
export interface Evidence {
  readonly sales: readonly Sale[];
  readonly stripe: Pick<StripeBooks, 'paidSessions'>;
  readonly filemaker: Pick<FileMakerBooks, 'applied' | 'runs' | 'summary'>;
  readonly invoices: readonly { readonly invoice_id: string; readonly paid_cents: string | number }[];
  /** Ids of the events that the ingress answered with 2xx and that say that a Session is paid. */
  readonly acknowledged: ReadonlySet<string>;
  readonly parked: readonly Parked[];
  /** Keys of effects and ids of events that the bridge had not finished when the rehearsal lost its patience. */
  readonly open: readonly string[];
  readonly outages: readonly Outage[];
  /** Calls to FileMaker, epoch milliseconds. */
  readonly calls: readonly number[];
  readonly cap: number;
  readonly faults: readonly string[];
}

export interface Parked {
  /** The effect's key, or the event's id. */
  readonly what: string;
  readonly code: string;
}

export interface OutageFigures {
  readonly of: Outage['of'] & string;
  readonly seconds: number;
  /** To FileMaker meanwhile; null for an outage of somebody else. */
  readonly calls: number | null;
  /** From its end to the start of the next script; null when none came. */
  readonly resumedAfterMs: number | null;
}

export interface Figures {
  readonly paid: number;
  /** Payments of which a webhook was answered with 200. */
  readonly accepted: number;
  readonly appliedOnce: number;
  /** Sessions that are paid and not applied, and that the bridge no longer has in hand: neither open nor parked. */
  readonly lost: readonly string[];
  /** Sessions that are paid, and that the bridge still owed to FileMaker when the rehearsal lost its patience. */
  readonly owed: readonly string[];
  readonly doubled: readonly string[];
  readonly parked: readonly Parked[];
  readonly worstDelayMs: number | null;
  readonly peakSessions: number;
  readonly cap: number;
  readonly unheardAnswers: number;
  readonly outages: readonly OutageFigures[];
}

export interface Judgement extends Figures {
  /** Nothing lost, nothing doubled, the cap kept, and nothing in `faults`. */
  readonly passed: boolean;
  /** What else must never be: a wrong amount, a payment out of nothing, a parked one, an app that ended by itself. */
  readonly faults: readonly string[];
  /** Expectations of the scenario that were missed. */
  readonly missed: readonly string[];
}

const keyOf = (sessionId: string): string => `invoice-paid:${sessionId}`;

/** Compares the two simulators' books. What the bridge says of itself counts only for what it has parked or not finished. */
export function judge(evidence: Evidence, expects: Expectations = {}): Judgement {
  const figures = figuresOf(evidence);
  const faults = faultsOf(evidence, figures);
  const keptCap = figures.peakSessions <= figures.cap;
  return {
    ...figures,
    faults,
    missed: missedBy(figures, expects),
    passed: figures.lost.length === 0 && figures.doubled.length === 0 && keptCap && faults.length === 0,
  };
}

function figuresOf(evidence: Evidence): Figures {
  const { sales, stripe, filemaker, acknowledged, parked, outages, calls, cap } = evidence;
  const times = (sessionId: string) => filemaker.applied[keyOf(sessionId)] ?? 0;
  const paid = stripe.paidSessions.map(({ sessionId }) => sessionId);
  const eventsOf = new Map(sales.map(({ sessionId, eventIds }) => [sessionId, eventIds]));
  const isAmong = (rows: ReadonlySet<string>) => (sessionId: string) =>
    rows.has(keyOf(sessionId)) || (eventsOf.get(sessionId) ?? []).some((id) => rows.has(id));
  const isParked = isAmong(new Set(parked.map(({ what }) => what)));
  const isOpen = isAmong(new Set(evidence.open));
  const missing = paid.filter((sessionId) => times(sessionId) === 0);
  return {
    paid: paid.length,
    accepted: sales.filter(({ eventIds }) => eventIds.some((id) => acknowledged.has(id))).length,
    appliedOnce: paid.filter((sessionId) => times(sessionId) === 1).length,
    lost: missing.filter((sessionId) => !isParked(sessionId) && !isOpen(sessionId)),
    owed: missing.filter(isOpen),
    doubled: doubledIn(filemaker),
    parked,
    worstDelayMs: worstDelay(evidence),
    peakSessions: filemaker.summary.sessions.peak,
    cap,
    unheardAnswers: filemaker.summary.unheardAnswers,
    outages: outages.flatMap(({ of, from, to }) =>
      of === null
        ? []
        : {
            of,
            seconds: (to - from) / 1_000,
            calls: of === 'FileMaker' ? calls.filter((at) => at >= from && at < to).length : null,
            resumedAfterMs: resumedAfter(evidence, to),
          },
    ),
  };
}

/** Keys whose effect happened more than once, and invoices that several keys have changed. */
function doubledIn({ applied, runs, summary }: Evidence['filemaker']): string[] {
  const keys = Object.entries(applied).flatMap(([key, count]) => (count > 1 ? [key] : []));
  const explained = new Set(
    runs.flatMap(({ key, invoiceId }) => (key !== null && keys.includes(key) ? [invoiceId] : [])),
  );
  const invoices = summary.invoicesAppliedMoreThanOnce.filter((invoiceId) => !explained.has(invoiceId));
  return [...keys, ...invoices.map((invoiceId) => `invoice ${invoiceId}`)];
}

/** From the payment to the end of the script that applied it. */
function worstDelay({ stripe, filemaker }: Evidence): number | null {
  const paidAt = new Map(stripe.paidSessions.map(({ sessionId, paidAt: at }) => [keyOf(sessionId), Date.parse(at)]));
  const delays = filemaker.runs.flatMap(({ key, effectApplied, finishedAt }) => {
    const since = key === null ? undefined : paidAt.get(key);
    return effectApplied && finishedAt !== null && since !== undefined ? [Date.parse(finishedAt) - since] : [];
  });
  return delays.length === 0 ? null : Math.max(0, ...delays);
}

/** Where the next outage began before work went on, it counts from the end of that one. */
function resumedAfter({ filemaker, outages }: Evidence, to: number): number | null {
  const starts = filemaker.runs.map(({ startedAt }) => Date.parse(startedAt));
  let end = to;
  for (;;) {
    const next = Math.min(...starts.filter((start) => start >= end));
    const further = Math.max(end, ...outages.filter(({ from }) => from <= next).map((outage) => outage.to));
    if (further === end) return Number.isFinite(next) ? next - end : null;
    end = further;
  }
}

function faultsOf(evidence: Evidence, figures: Figures): string[] {
  const { sales, stripe, filemaker, invoices, open, faults } = evidence;
  const known = new Set(stripe.paidSessions.map(({ sessionId }) => keyOf(sessionId)));
  const amountOf = new Map(sales.map(({ invoiceId, amountTotal }) => [invoiceId, amountTotal]));
  const isRepeated = new Set(filemaker.summary.invoicesAppliedMoreThanOnce);
  const isTouched = new Set(filemaker.runs.flatMap((run) => (run.effectApplied ? [run.invoiceId] : [])));
  const wrongAmounts = invoices.filter(
    ({ invoice_id, paid_cents }) =>
      isTouched.has(invoice_id) && !isRepeated.has(invoice_id) && Number(paid_cents) !== amountOf.get(invoice_id),
  );
  const outOfNothing = Object.keys(filemaker.applied).filter((key) => !known.has(key));
  const { overlaps, deletedInUse } = filemaker.summary;
  return [
    ...faults,
    ...some('invoices with a wrong amount', wrongAmounts.length),
    ...some('scripts ran for no payment', outOfNothing.length),
    ...some('scripts sent again after they had run', repeatedRuns(filemaker).length),
    ...some('calls on a FileMaker session that was in use', overlaps),
    ...some('FileMaker sessions logged out in mid-call', deletedInUse),
    ...some('parked for a person', figures.parked.length),
    ...some('payments still owed when the rehearsal stopped waiting', figures.owed.length),
    ...some('rows not finished', open.length),
  ];
}

function missedBy(figures: Figures, expects: Expectations): string[] {
  const resumed = Math.max(0, ...figures.outages.map(({ resumedAfterMs }) => resumedAfterMs ?? 0)) / 1_000;
  const calls = callsDuringOutages(figures);
  const { resumedWithinSeconds, callsAtMost, worstDelaySeconds, unheardAtMost } = expects;
  return [
    ...over('seconds until work went on', resumed, resumedWithinSeconds),
    ...over('calls to FileMaker while it was away', calls ?? 0, callsAtMost),
    ...over('seconds for the slowest payment', (figures.worstDelayMs ?? 0) / 1_000, worstDelaySeconds),
    ...over('answers of scripts unheard', figures.unheardAnswers, unheardAtMost),
  ];
}

/** Of all outages of FileMaker together; null when there was none. */
export function callsDuringOutages({ outages }: Pick<Figures, 'outages'>): number | null {
  const counted = outages.flatMap(({ calls }) => calls ?? []);
  return counted.length === 0 ? null : counted.reduce((sum, calls) => sum + calls, 0);
}

function some(what: string, count: number): string[] {
  return count > 0 ? [`${what}: ${count}`] : [];
}

function over(what: string, found: number, most: number | undefined): string[] {
  if (most === undefined || found <= most) return [];
  return [`${what}: ${Number.isInteger(found) ? found : found.toFixed(1)}, expected at most ${most}`];
}
