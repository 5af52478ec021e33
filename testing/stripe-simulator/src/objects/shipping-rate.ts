import type { ShippingRate } from '../wire';

export function renderShippingRate(draft: {
  id: string;
  amount: number;
  currency: string;
  displayName: string;
  taxBehavior: 'exclusive' | 'inclusive';
  created: number;
  livemode: boolean;
}): ShippingRate {
  return {
    id: draft.id,
    object: 'shipping_rate',
    active: true,
    created: draft.created,
    delivery_estimate: null,
    display_name: draft.displayName,
    fixed_amount: { amount: draft.amount, currency: draft.currency },
    livemode: draft.livemode,
    metadata: {},
    tax_behavior: draft.taxBehavior,
    tax_code: null,
    type: 'fixed_amount',
  };
}
