import type { Address, Session } from '../wire';
import type { LineAmounts } from './line-item';

const DAY_SECONDS = 86_400;

export interface SessionDraft {
  id: string;
  mode: Session['mode'];
  created: number;
  livemode: boolean;
  currency: string;
  lines: LineAmounts[];
  metadata: Record<string, string>;
  clientReferenceId: string | null;
  customer: string | null;
  email: string | null;
  paymentLink: string | null;
  shipping: { name: string; address: Address; cost: LineAmounts | null; rateId: string | null } | null;
  paymentMethodType: string;
}

/** An open Checkout Session: nobody has paid yet, and no PaymentIntent exists (API 2022-08-01 and later). */
export function renderOpenSession(draft: SessionDraft): Session {
  const sells = draft.mode !== 'setup';
  const cost = draft.shipping?.cost ?? null;
  const sum = (pick: (amounts: LineAmounts) => number) => draft.lines.reduce((total, line) => total + pick(line), 0);
  return {
    id: draft.id,
    object: 'checkout.session',
    adaptive_pricing: draft.mode === 'payment' ? { enabled: false } : null,
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: null,
    amount_subtotal: sells ? sum((line) => line.subtotal) : null,
    amount_total: sells ? sum((line) => line.total) + (cost?.total ?? 0) : null,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: null,
    cancel_url: null,
    client_reference_id: draft.clientReferenceId,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: draft.created,
    currency: sells ? draft.currency : null,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: draft.customer,
    customer_account: null,
    customer_creation: draft.mode === 'payment' ? 'if_required' : null,
    customer_details: null,
    customer_email: null,
    discounts: [],
    expires_at: draft.created + DAY_SECONDS,
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: draft.livemode,
    locale: null,
    managed_payments: null,
    metadata: draft.metadata,
    mode: draft.mode,
    origin_context: null,
    payment_intent: null,
    payment_link: draft.paymentLink,
    payment_method_collection: 'if_required',
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: [draft.paymentMethodType],
    payment_status: sells ? 'unpaid' : 'no_payment_required',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: cost && {
      amount_subtotal: cost.subtotal,
      amount_tax: cost.tax,
      amount_total: cost.total,
      shipping_rate: draft.shipping?.rateId ?? null,
    },
    shipping_options: [],
    status: 'open',
    submit_type: null,
    subscription: null,
    success_url: 'https://shop.example/thanks?session_id={CHECKOUT_SESSION_ID}',
    total_details: sells
      ? {
          amount_discount: sum((line) => line.discount),
          amount_shipping: cost?.subtotal ?? 0,
          amount_tax: sum((line) => line.tax) + (cost?.tax ?? 0),
        }
      : null,
    ui_mode: 'hosted_page',
    url: `https://checkout.stripe.com/c/pay/${draft.id}`,
    wallet_options: null,
  };
}

/** What the buyer filled in; Stripe has it only once the Session is complete. */
export function fillInBuyer(session: Session, draft: SessionDraft): void {
  const name = draft.shipping?.name ?? null;
  session.customer_details = {
    address: draft.shipping?.address ?? null,
    business_name: null,
    email: draft.email,
    individual_name: null,
    name,
    phone: null,
    tax_exempt: 'none',
    tax_ids: [],
  };
  session.collected_information = {
    business_name: null,
    individual_name: null,
    shipping_details: draft.shipping && { address: draft.shipping.address, name: draft.shipping.name },
  };
}
