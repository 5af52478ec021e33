import type { Charge, Dispute } from '../wire';

const WEEK_SECONDS = 604_800;

export function renderDispute(draft: {
  id: string;
  charge: Charge;
  amount: number;
  reason: string;
  status: Dispute['status'];
  created: number;
}): Dispute {
  return {
    id: draft.id,
    object: 'dispute',
    amount: draft.amount,
    balance_transactions: [],
    charge: draft.charge.id,
    created: draft.created,
    currency: draft.charge.currency,
    enhanced_eligibility_types: [],
    evidence: {
      access_activity_log: null,
      billing_address: null,
      cancellation_policy: null,
      cancellation_policy_disclosure: null,
      cancellation_rebuttal: null,
      customer_communication: null,
      customer_email_address: draft.charge.billing_details.email,
      customer_name: draft.charge.billing_details.name,
      customer_purchase_ip: null,
      customer_signature: null,
      duplicate_charge_documentation: null,
      duplicate_charge_explanation: null,
      duplicate_charge_id: null,
      enhanced_evidence: {},
      product_description: null,
      receipt: null,
      refund_policy: null,
      refund_policy_disclosure: null,
      refund_refusal_explanation: null,
      service_date: null,
      service_documentation: null,
      shipping_address: null,
      shipping_carrier: null,
      shipping_date: null,
      shipping_documentation: null,
      shipping_tracking_number: null,
      uncategorized_file: null,
      uncategorized_text: null,
    },
    evidence_details: {
      due_by: draft.created + WEEK_SECONDS,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: draft.status.startsWith('warning_'),
    livemode: draft.charge.livemode,
    metadata: {},
    network_reason_code: null,
    payment_intent: draft.charge.payment_intent,
    payment_method_details: {
      type: 'card',
      card: { brand: 'visa', case_type: 'chargeback', network: 'visa', network_reason_code: '10.4' },
    },
    reason: draft.reason,
    status: draft.status,
  };
}
