import type { Address, PaymentIntent } from '../wire';

export function renderPaymentIntent(draft: {
  id: string;
  amount: number;
  currency: string;
  created: number;
  livemode: boolean;
  customer: string | null;
  metadata: Record<string, string>;
  manualCapture: boolean;
  paymentMethod: string;
  paymentMethodType: string;
  shipping: { name: string; address: Address } | null;
  clientSecret: string;
}): PaymentIntent {
  return {
    id: draft.id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: draft.amount,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: draft.manualCapture ? 'manual' : 'automatic_async',
    client_secret: draft.clientSecret,
    confirmation_method: 'automatic',
    created: draft.created,
    currency: draft.currency,
    customer: draft.customer,
    customer_account: null,
    description: null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: draft.livemode,
    managed_payments: null,
    metadata: draft.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: draft.paymentMethod,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [draft.paymentMethodType],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: null,
    shipping: draft.shipping && {
      address: draft.shipping.address,
      carrier: null,
      name: draft.shipping.name,
      phone: null,
      tracking_number: null,
    },
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
  };
}
