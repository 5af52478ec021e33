/** How sure it is that the money of a payment has done its work in FileMaker. */
export type ProofStanding =
  | 'applied'
  | 'unverified'
  | 'waiting'
  | 'parked'
  | 'cancelled'
  /** No money has come. */
  | 'unpaid'
  /** Nothing was owed for it, or it is no payment at all. */
  | 'nothing-owed';

/** What became of one payment, in a sentence. */
export interface Verdict {
  /** The Checkout Session's id; of something that is no payment, its own. */
  id: string;
  standing: ProofStanding;
  sentence: string;
  /** The command that is next; null: nothing is to be done. */
  next: string | null;
}

/** One thing that happened, as a sentence with its ids. */
export interface ProofEntry {
  at: Date;
  what:
    | 'money'
    | 'event'
    | 'delivery'
    | 'decision'
    | 'planned'
    | 'attempt'
    | 'cross-check'
    | 'settled'
    | 'reversal'
    | 'finding'
    | 'act';
  tone: 'fine' | 'waits' | 'note' | 'quiet';
  sentence: string;
  /** Ids and codes that the sentence leaves out. Never customer data. */
  details: Record<string, string | number | boolean | null>;
}

/** Everything that is known about an id, and what it comes to. Holds ids and amounts, no customer data. */
export interface Proof {
  found: true;
  id: string;
  /** "a Checkout Session", "an invoice number". */
  meaning: string;
  /** When it was asked. */
  at: Date;
  timeZone: string;
  verdicts: Verdict[];
  /** The oldest first. */
  timeline: ProofEntry[];
  /** What else the same id could mean, as commands. */
  also: string[];
}

/** Nothing of the money is known under this id: where it was looked for, or what else it is. */
export interface NoProof {
  found: false;
  id: string;
  /** Where it was looked for. */
  looked: string[];
  /** What it is, when it is something that no payment hangs on. */
  meaning: string | null;
  next: string | null;
}

/** `22 Nov 14:03`, with the year when it is not this one. */
export function timeText(at: Date, timeZone: string, now: Date): string {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const thisYear = new Intl.DateTimeFormat('en-GB', { timeZone, year: 'numeric' }).format(now) === parts.year;
  return `${parts.day} ${parts.month}${thisYear ? '' : ` ${parts.year}`} ${parts.hour}:${parts.minute}`;
}
