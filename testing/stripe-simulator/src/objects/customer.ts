import type { Customer } from '../wire';

export function renderCustomer(draft: {
  id: string;
  email: string | null;
  name: string | null;
  metadata: Record<string, string>;
  created: number;
  livemode: boolean;
}): Customer {
  return {
    id: draft.id,
    object: 'customer',
    address: null,
    balance: 0,
    created: draft.created,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: draft.email,
    invoice_prefix: draft.id.slice(-8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: draft.livemode,
    metadata: draft.metadata,
    name: draft.name,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}
