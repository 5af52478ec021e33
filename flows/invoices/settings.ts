import { z } from 'zod';

/** The part of the configuration that this flow reads; `config` resolves defaults and shorthand before. */
export const invoicesSettings = z.object({
  /** `metadata.<name>` or `client_reference_id`, asked in this order. */
  invoiceIdKeys: z.array(z.string()).min(1).readonly(),
  /** A second payment of an invoice: run it as well, or park it. */
  instalments: z.enum(['allow', 'park']),
  payload: z.object({
    fields: z.enum(['article', 'full']),
    unit_price: z.enum(['unit', 'line_total']),
    shipping_item: z.object({ code: z.string(), name: z.string().optional(), catalog_number: z.string() }),
  }),
});

export type InvoicesSettings = z.output<typeof invoicesSettings>;
