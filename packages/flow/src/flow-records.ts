import type { Executor } from '@bridge/database';

/** A refund or dispute of a payment, as it stands in the flow's records. */
export interface RecordedReversal {
  id: string;
  kind: 'refund' | 'dispute';
  /** Minor units. */
  amount: number;
  currency: string;
  /** The peer's own word: `succeeded`, `failed`, `needs_response`, … */
  status: string;
  effectKey: string | null;
  /** When the peer made it, where it told so; else when our records first had it. */
  at: Date;
}

/** One payment, as a flow's records hold it: ids and amounts, no customer data. */
export interface RecordedFact {
  /** The Checkout Session's id: what the fact is known by for good. */
  id: string;
  /** All other ids a person may know it by: PaymentIntent, charge, invoice number, refunds, disputes. */
  relatedIds: string[];
  /** For people: "Invoice 18637". */
  title: string;
  /** Minor units. */
  amount: number;
  currency: string;
  livemode: boolean;
  /** The moment the money came, by the peer's clock where it told one; null: no money has come. */
  succeededAt: Date | null;
  /** The flow's own word: `pending`, `paid`, `failed`, `expired`, `parked`. */
  status: string;
  /** Why no effect could be planned; null: one was, or nothing is owed. */
  parkedCode: string | null;
  /** The event that waits for a person because of it; null: none does. */
  parkedEvent: string | null;
  /** Keys of all effects planned for it, the payment's own first. */
  effectKeys: string[];
  reversals: RecordedReversal[];
  /** When our records first had it. */
  recordedAt: Date;
}

/** What a flow has written down, for proof and for the books. Needs no peers; pages, never all at once. */
export interface FlowRecords {
  /** Facts that this id belongs to: its own or one of `relatedIds`, exactly as written. The oldest first, 100 at most. */
  find(executor: Executor, id: string): Promise<RecordedFact[]>;
  /** Facts whose money came from `since` on and before `until`, the oldest first. */
  succeededBetween(executor: Executor, window: { since: Date; until: Date }): AsyncIterable<readonly RecordedFact[]>;
  /** Facts whose own or whose reversals' records were written or last changed in the window. In no promised order. */
  writtenBetween(executor: Executor, window: { since: Date; until: Date }): AsyncIterable<readonly RecordedFact[]>;
}
