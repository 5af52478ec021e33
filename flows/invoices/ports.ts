/**
 * What this flow needs to know from Stripe. The worker joins it with the Stripe client. All JSON as Stripe gives it, in the API
 * version that the client pins. Everything rejects with the client's own error, which says whether trying again helps.
 */
export interface InvoicesStripe {
  /** The Session with all lines, the products of the lines, its PaymentIntent and the charge that took the money. */
  retrievePaidSession(sessionId: string): Promise<SessionSnapshot>;
  /** The Session that made this PaymentIntent (`pi_…`); undefined: none did. */
  findSessionOfPaymentIntent(paymentIntentId: string): Promise<string | undefined>;
  /** The same by the charge (`ch_…`, `py_…`). */
  findSessionOfCharge(chargeId: string): Promise<string | undefined>;
  /** As it is now; one that Stripe does not know is an error. */
  retrieveRefund(refundId: string): Promise<unknown>;
  /** As it is now; one that Stripe does not know is an error. */
  retrieveDispute(disputeId: string): Promise<unknown>;
  /** Pages of Checkout Sessions born in the window, newest first, without lines, with PaymentIntent and charge inside. */
  listSessions(window: { since: Date; until: Date }): AsyncIterable<readonly unknown[]>;
}

/**
 * A Checkout Session with all that belongs to it, at one moment. `products` by their ids; `charge` is the one that took the money,
 * null where there is none yet. Listed Sessions come without lines and products.
 */
export interface SessionSnapshot {
  session: unknown;
  lineItems: readonly unknown[];
  products: Readonly<Record<string, unknown>>;
  charge: unknown;
  paymentIntent?: unknown;
}

/** What an event can mean for the company. */
export type InvoiceFact = 'paid' | 'refunded' | 'disputed' | 'payment_failed';

/** Where a fact's script runs. The worker freezes layout, script, contract, transport and probe into the target. */
export interface InvoiceScripts {
  /** Undefined: no script is configured for this fact; it is recorded only. */
  target(
    fact: InvoiceFact,
    call: { bytes: string; checkoutSessionId: string; paymentIntentId: string; invoiceId: string },
  ): { kind: 'script'; target: unknown } | { kind: 'park'; reasonCode: string; reason: string } | undefined;
}

/** Everything that this flow asks the outside. */
export interface InvoicesPeers {
  stripe: InvoicesStripe;
  scripts: InvoiceScripts;
  /** Whether the Stripe key is a live one; Sessions of the other kind are not ours. */
  livemode: boolean;
  /** What the recovery path asks beside; absent where no pass is run. */
  recovery?: InvoicesRecovery;
}

/** Questions of the recovery path. They go through a budget of its own, behind that of live work. */
export interface InvoicesRecovery {
  /**
   * Pages of Checkout Sessions born in the window, newest first, without lines, with PaymentIntent and charge inside; on
   * from `olderThan`, which is a Session's id.
   */
  listSessions(window: { since: Date; until: Date; olderThan?: string | undefined }): AsyncIterable<readonly unknown[]>;
  /** Undefined: Stripe does not know it. */
  findSession(sessionId: string): Promise<SessionSnapshot | undefined>;
  /** The Session that made this PaymentIntent; undefined: none did, the money came another way. */
  findSessionOfPaymentIntent(paymentIntentId: string): Promise<string | undefined>;
  /** A refund or dispute by its id; undefined: Stripe does not know it. */
  findReversal(kind: 'refund' | 'dispute', id: string): Promise<unknown>;
  /** Pages of all refunds or disputes that were made in the window, newest first, on from `olderThan`. */
  listReversals(
    kind: 'refund' | 'dispute',
    window: { since: Date; until: Date; olderThan?: string | undefined },
  ): AsyncIterable<readonly unknown[]>;
  /**
   * Checkout Sessions whose delayed payment has come to its end since then, and PaymentIntents that have succeeded, as Stripe's
   * list of events says: their webhook is on its way. Empty where that cannot be told.
   */
  announcedSince(since: Date): Promise<ReadonlySet<string>>;
  /** The newest hundred refunds of a payment. */
  listRefunds(paymentIntentId: string): Promise<readonly unknown[]>;
  /** The newest hundred disputes of a payment. */
  listDisputes(paymentIntentId: string): Promise<readonly unknown[]>;
  /** What the script's log in FileMaker says about effects, many in one find. Throws FileMakerNotAskedError. */
  readLog(questions: readonly LogQuestion[]): Promise<ReadonlyMap<string, LogTold>>;
}

/** A question about one effect to the script's log in FileMaker. */
export interface LogQuestion {
  /** The effect's key. */
  key: string;
  /** Where it ran, as it was frozen; undefined: none was planned, and today's configuration says where it would. */
  target: unknown;
}

/** The log's answer about one effect; `states` are the script's own words (`done`, `started`, `failed`). */
export type LogTold =
  /** One state for each row of this key; none: there is no row, and that is proved. */
  | { kind: 'told'; states: readonly string[] }
  /** Nothing can be said. `NO_LOG`: the script keeps none. */
  | { kind: 'unasked'; because: 'NO_LOG' | 'SENTINEL_MISSING' | 'CUT_SHORT' | 'LOG_UNREADABLE' };

/** FileMaker cannot be asked just now: it is away, closed or full. The same question may be asked again later. */
export class FileMakerNotAskedError extends Error {
  readonly code: string;
  readonly afterMs: number;
  constructor(code: string, message: string, afterMs: number) {
    super(message);
    this.name = 'FileMakerNotAskedError';
    this.code = code;
    this.afterMs = afterMs;
  }
}
