/** What the FileMaker simulator's `GET /_simulator/books` says, as far as tests and rehearsals read it. */
export interface FileMakerBooks {
  summary: FileMakerSummary;
  /** How often the effect of each idempotency key truly happened. */
  applied: Record<string, number>;
  runs: {
    key: string | null;
    invoiceId: string | null;
    payload: string;
    sha256: string;
    effectApplied: boolean;
    startedAt: string;
    finishedAt: string | null;
    /** The script's own result, as text; null while it runs and when it was cut. */
    result: string | null;
    answer: string;
  }[];
}

/**
 * Runs of a script that FileMaker had finished before under the same key. The kit makes such a run harmless, so the books
 * stay right; all the same the bridge has sent what it should have known to have happened.
 */
export const repeatedRuns = ({ runs }: Pick<FileMakerBooks, 'runs'>): FileMakerBooks['runs'] =>
  runs.filter(({ result }) => result !== null && isRepeat(result));

function isRepeat(result: string): boolean {
  try {
    return (JSON.parse(result) as { duplicate?: unknown } | null)?.duplicate === true;
  } catch {
    // A plain script's result is any text.
    return false;
  }
}

/** What is compared of the FileMaker simulator's books. */
export interface FileMakerSummary {
  runs: number;
  running: number;
  effectsApplied: number;
  keysApplied: number;
  keysAppliedMoreThanOnce: string[];
  invoicesAppliedMoreThanOnce: string[];
  unheardAnswers: number;
  /** Requests on a session whose last one was still running; logouts likewise. */
  overlaps: number;
  deletedInUse: number;
  sessions: { opened: number; peak: number; present: number };
  logins: { ok: number; refused: number };
  requests: { total: number };
}

/** What the Stripe simulator's `GET /_simulator/books` says. Amounts in minor units. */
export interface StripeBooks {
  paidSessions: {
    sessionId: string;
    paymentIntentId: string | null;
    invoiceId: string | null;
    amountTotal: number;
    currency: string;
    paidAt: string;
  }[];
  events: { total: number; acknowledged: number };
  deliveries: { attempts: number; acknowledged: number; outstanding: number; byAnswer: Record<string, number> };
}
