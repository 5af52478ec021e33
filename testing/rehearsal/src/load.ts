import { setTimeout as delay } from 'node:timers/promises';
import type { Stand } from './stand';

/** A payment as it was made at Stripe. */
export interface Sale {
  readonly sessionId: string;
  readonly invoiceId: string;
  /** Minor units. */
  readonly amountTotal: number;
  readonly eventIds: readonly string[];
}

const firstInvoice = 20_000;
const tickMs = 100;

export interface Load {
  readonly invoiceIds: readonly string[];
  /** Those made so far. */
  readonly sales: readonly Sale[];
  /** Opens the invoices in FileMaker. */
  prepare(): Promise<void>;
  /** Sells at a steady rate; resolves with the last payment. */
  sell(signal: AbortSignal): Promise<void>;
}

/** So many customers pay, one after the other, in so many seconds. */
export function createLoad(stand: Stand, payments: number, overSeconds: number, seed: number): Load {
  const invoiceIds = Array.from({ length: payments }, (_, index) => String(firstInvoice + index));
  const sales: Sale[] = [];
  return {
    invoiceIds,
    sales,
    prepare: async () => {
      const records = invoiceIds.map((invoice_id) => ({ invoice_id, status: 'open' }));
      await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', { records });
    },
    sell: async (signal) => {
      const begun = performance.now();
      while (sales.length < payments) {
        signal.throwIfAborted();
        const share = (performance.now() - begun + tickMs) / (overSeconds * 1_000);
        const due = Math.min(payments, Math.ceil(payments * share));
        // One by one, so that each is as the seed and its place want it, however many fall into one tick.
        while (sales.length < due) sales.push(await sellOne(stand, sales.length, seed));
        await delay(tickMs, undefined, { signal });
      }
    },
  };
}

async function sellOne(stand: Stand, place: number, seed: number): Promise<Sale> {
  const order = { count: 1, seed: seed * 100_003 + place, firstInvoiceId: firstInvoice + place, linesMax: 4 };
  const answer = await stand.stripe.ask<{ sales: Omit<Sale, 'invoiceId'>[] }>('POST', '/sales/bulk', order);
  const [sale] = answer.sales;
  if (sale === undefined) throw new Error('the Stripe simulator sold nothing');
  return { ...sale, invoiceId: String(firstInvoice + place) };
}
