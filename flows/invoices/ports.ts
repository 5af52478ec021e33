/** What this flow needs to know from Stripe. The worker joins it with the Stripe client. All JSON as Stripe gives it. */
export interface InvoicesStripe {
  /** The Session with all lines, the products of the lines, its PaymentIntent and the charge that took the money. */
  retrievePaidSession(sessionId: string): Promise<SessionSnapshot>;
  findSessionOfPaymentIntent(paymentIntentId: string): Promise<string | undefined>;
  retrieveRefund(refundId: string): Promise<unknown>;
  retrieveDispute(disputeId: string): Promise<unknown>;
  /** Pages of Checkout Sessions born in the window, newest first, without lines, with PaymentIntent and charge inside. */
  listSessions(window: { since: Date; until: Date }): AsyncIterable<readonly unknown[]>;
}

export interface SessionSnapshot {
  session: unknown;
  lineItems: readonly unknown[];
  products: Readonly<Record<string, unknown>>;
  charge: unknown;
  paymentIntent?: unknown;
}

export type InvoiceFact = 'paid' | 'refunded' | 'disputed' | 'payment_failed';

/** Where a fact's script runs. The worker freezes layout, script, contract, transport and probe into the target. */
export interface InvoiceScripts {
  /** Undefined: no script is configured for this fact; it is recorded only. */
  target(
    fact: InvoiceFact,
    call: { bytes: string; checkoutSessionId: string; paymentIntentId: string; invoiceId: string },
  ): { kind: 'script'; target: unknown } | { kind: 'park'; reasonCode: string; reason: string } | undefined;
}

export interface InvoicesPeers {
  stripe: InvoicesStripe;
  scripts: InvoiceScripts;
  /** Whether the Stripe key is a live one; Sessions of the other kind are not ours. */
  livemode: boolean;
}
