import type { Charge, PaymentIntent, Session } from '../wire';

/** The charge of a PaymentIntent, before it is known whether it succeeds. */
export function renderCharge(draft: {
  id: string;
  intent: PaymentIntent;
  customerDetails: Session['customer_details'];
  account: string;
  created: number;
  receiptToken: string;
}): Charge {
  const { intent } = draft;
  const type = intent.payment_method_types[0] ?? 'card';
  return {
    id: draft.id,
    object: 'charge',
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: {
      address: draft.customerDetails?.address ?? null,
      email: draft.customerDetails?.email ?? null,
      name: draft.customerDetails?.name ?? null,
      phone: null,
      tax_id: null,
    },
    calculated_statement_descriptor: 'SIMULATED SHOP',
    captured: false,
    created: draft.created,
    currency: intent.currency,
    customer: intent.customer,
    description: null,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: intent.livemode,
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: {
      advice_code: null,
      network_advice_code: null,
      network_decline_code: null,
      network_status: 'approved_by_network',
      reason: null,
      risk_level: 'normal',
      seller_message: 'Payment complete.',
      type: 'authorized',
    },
    paid: false,
    payment_intent: intent.id,
    payment_method: intent.payment_method,
    payment_method_details: type === 'card' ? { type, card: CARD } : { type },
    radar_options: {},
    receipt_email: null,
    receipt_number: null,
    receipt_url: `https://pay.stripe.com/receipts/payment/${draft.account}/${draft.receiptToken}`,
    refunded: false,
    review: null,
    shipping: intent.shipping,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'pending',
    transfer_data: null,
    transfer_group: null,
  };
}

const CARD = {
  amount_authorized: null,
  authorization_code: null,
  brand: 'visa',
  checks: { address_line1_check: null, address_postal_code_check: 'pass', cvc_check: 'pass' },
  country: 'US',
  electronic_commerce_indicator: null,
  exp_month: 12,
  exp_year: 2034,
  fingerprint: 'Xt5EWLLDS7FJjR1c',
  funding: 'credit',
  installments: null,
  last4: '4242',
  mandate: null,
  network: 'visa',
  network_transaction_id: null,
  regulated_status: 'unregulated' as const,
  three_d_secure: null,
  transaction_link_id: null,
  wallet: null,
};
