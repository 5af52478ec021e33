import type { Product } from '../wire';

export function renderProduct(draft: {
  id: string;
  name: string;
  metadata: Record<string, string>;
  description: string | null;
  active: boolean;
  created: number;
  livemode: boolean;
}): Product {
  return {
    id: draft.id,
    object: 'product',
    active: draft.active,
    created: draft.created,
    default_price: null,
    description: draft.description,
    images: [],
    livemode: draft.livemode,
    marketing_features: [],
    metadata: draft.metadata,
    name: draft.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: draft.created,
    url: null,
  };
}
