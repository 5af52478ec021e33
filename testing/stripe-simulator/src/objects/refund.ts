import type { Charge, Refund, RefundStatus } from '../wire';

export function renderRefund(draft: {
  id: string;
  charge: Charge;
  amount: number;
  status: RefundStatus;
  reason: Refund['reason'];
  metadata: Record<string, string>;
  balanceTransaction: string;
  created: number;
}): Refund {
  const { charge } = draft;
  return {
    id: draft.id,
    object: 'refund',
    amount: draft.amount,
    balance_transaction: draft.status === 'succeeded' ? draft.balanceTransaction : null,
    charge: charge.id,
    created: draft.created,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: charge.payment_method_details?.card
      ? {
          type: 'card',
          card: { reference_status: 'pending', reference_type: 'acquirer_reference_number', type: 'refund' },
        }
      : { type: charge.payment_method_details?.type ?? 'card' },
    metadata: draft.metadata,
    payment_intent: charge.payment_intent,
    payment_method: charge.payment_method,
    ...(draft.status === 'pending' ? { pending_reason: 'processing' as const } : {}),
    reason: draft.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: draft.status,
    transfer_reversal: null,
  };
}
