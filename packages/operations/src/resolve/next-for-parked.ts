import { nameInvoice } from '../replay/next-steps';

/** An event that waits for a person. */
export interface ParkedEvent {
  id: string;
  reasonCode: string | null;
  /** The Checkout Session or PaymentIntent that it is about. */
  objectId: string | null;
}

/** The money is there, and nobody knows yet which invoice it is for. */
const NAMES_NO_INVOICE: ReadonlySet<string> = new Set(['NO_INVOICE_ID', 'INVOICE_ID_MISSING']);

/**
 * The command that comes next, as its runbook has it: status, prove and lists say the same. A payment that names no
 * invoice is given one; all else is looked at first, and the look names what can be done.
 */
export function nextForParkedEvent({ id, reasonCode, objectId }: ParkedEvent): string {
  if (objectId !== null && NAMES_NO_INVOICE.has(reasonCode ?? '')) return nameInvoice(objectId);
  return `./bridge events show ${id}`;
}
