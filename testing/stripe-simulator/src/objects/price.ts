import type { Price } from '../wire';

export function renderPrice(draft: {
  id: string;
  productId: string;
  currency: string;
  /** Whole minor units; null for pay-what-you-want prices and for fractions. */
  unitAmount: number | null;
  unitAmountDecimal: string | null;
  taxBehavior: 'exclusive' | 'inclusive' | 'unspecified';
  customUnitAmount: boolean;
  recurring: boolean;
  metadata: Record<string, string>;
  created: number;
  livemode: boolean;
}): Price {
  return {
    id: draft.id,
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: draft.created,
    currency: draft.currency,
    custom_unit_amount: draft.customUnitAmount ? { maximum: null, minimum: null, preset: null } : null,
    livemode: draft.livemode,
    lookup_key: null,
    metadata: draft.metadata,
    nickname: null,
    product: draft.productId,
    recurring: draft.recurring
      ? { interval: 'month', interval_count: 1, meter: null, trial_period_days: null, usage_type: 'licensed' }
      : null,
    tax_behavior: draft.taxBehavior,
    tiers_mode: null,
    transform_quantity: null,
    type: draft.recurring ? 'recurring' : 'one_time',
    unit_amount: draft.unitAmount,
    unit_amount_decimal: draft.unitAmountDecimal,
  };
}
