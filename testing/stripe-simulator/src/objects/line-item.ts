import type { LineItem, Price } from '../wire';

export interface LineAmounts {
  subtotal: number;
  discount: number;
  tax: number;
  total: number;
}

/**
 * The sums of one line, in minor units. `total` is after discount and tax; a tax that the price already contains
 * (inclusive) is told but not added.
 */
export function lineAmounts(subtotal: number, discount: number, tax: number, taxIsInclusive: boolean): LineAmounts {
  return { subtotal, discount, tax, total: subtotal - discount + (taxIsInclusive ? 0 : tax) };
}

export function renderLineItem(draft: {
  id: string;
  amounts: LineAmounts;
  currency: string;
  description: string;
  metadata: Record<string, string>;
  price: Price;
  quantity: number;
}): LineItem {
  return {
    id: draft.id,
    object: 'item',
    adjustable_quantity: null,
    amount_discount: draft.amounts.discount,
    amount_subtotal: draft.amounts.subtotal,
    amount_tax: draft.amounts.tax,
    amount_total: draft.amounts.total,
    currency: draft.currency,
    description: draft.description,
    metadata: draft.metadata,
    price: draft.price,
    quantity: draft.quantity,
  };
}
