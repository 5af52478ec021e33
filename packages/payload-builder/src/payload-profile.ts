/** What the company's script expects. One profile per fact, from the configuration. */
export interface PayloadProfile {
  /** `full`: all fields. `article`: only the fields of the well-known shape, plus `idempotency_key`. */
  fields: 'full' | 'article';
  /**
   * What `unit_price_cents` holds. `unit`: the price of one piece. `line_total`: the whole line after discount and
   * tax, for scripts written against code that put it there.
   */
  unitPrice: 'unit' | 'line_total';
  /**
   * How the cost of shipping appears as last item; `null`: it is no item at all (it stays in `amounts`). An empty `name`
   * stands for the shipping rate's own, where the Session carries it, and else for "Shipping".
   */
  shippingItem: { code: string; catalogNumber: string; name: string } | null;
  /** What a line without `billing_code` does: an empty code, or no payload. */
  missingCode: 'empty' | 'refuse';
}

/** As without a YAML file. */
export const defaultProfile: PayloadProfile = {
  fields: 'full',
  unitPrice: 'unit',
  shippingItem: { code: '', catalogNumber: '', name: 'Shipping' },
  missingCode: 'empty',
};
