/** One sale of the demo: what it shows, what Stripe is told, and whether FileMaker is expected to hear of it. */
export interface DemoSale {
  readonly shows: string;
  readonly invoiceId: string | null;
  readonly order: Record<string, unknown>;
  /** What is done after the sale itself. */
  readonly afterwards?: 'settle' | 'send-again';
  readonly reachesFileMaker: boolean;
}

const kit = { name: 'Adult TripleFlex Kit', metadata: { billing_code: 'L2999', catalog_number: '200-27' } };
const overnight = { name: 'Overnight Shipping', metadata: { billing_code: 'E1399', catalog_number: '200S-1C' } };
const strap = { name: 'Strap Kit', metadata: { billing_code: 'A4467', catalog_number: '205-11' } };

export const demoSales: readonly DemoSale[] = [
  {
    shows: 'a Payment Link, two lines',
    invoiceId: '18637',
    order: {
      paymentLink: true,
      lines: [
        { ...kit, unitAmount: 15_000 },
        { ...overnight, unitAmount: 3_000 },
      ],
      shipping: { name: 'Rhonda Hensley' },
    },
    reachesFileMaker: true,
  },
  {
    shows: 'Stripe sends it twice',
    invoiceId: '18638',
    order: { lines: [{ ...strap, quantity: 4, unitAmount: 1_195 }] },
    afterwards: 'send-again',
    reachesFileMaker: true,
  },
  {
    shows: 'euros, a discount and shipping',
    invoiceId: '18639',
    order: {
      currency: 'eur',
      email: 'jürgen.groß@kunde.example',
      lines: [{ ...kit, quantity: 2, unitAmount: 14_000, discount: 2_800 }],
      shipping: { name: 'Jürgen Groß', amount: 995 },
    },
    reachesFileMaker: true,
  },
  {
    shows: 'a bank debit, paid later',
    invoiceId: '18640',
    order: { delayed: true, lines: [{ ...kit, unitAmount: 15_000 }] },
    afterwards: 'settle',
    reachesFileMaker: true,
  },
  {
    shows: 'yen, which have no cents',
    invoiceId: '18641',
    order: { currency: 'jpy', lines: [{ ...strap, quantity: 3, unitAmount: 1_800 }] },
    reachesFileMaker: true,
  },
  {
    shows: 'names no invoice',
    invoiceId: null,
    order: { lines: [{ ...strap, unitAmount: 1_195 }] },
    reachesFileMaker: false,
  },
];
