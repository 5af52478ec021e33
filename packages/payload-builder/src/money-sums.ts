/** What the proof looked at. All figures are minor units of the Session's currency. */
export interface MoneySums {
  /** The Session's `amount_total`: what the customer paid. */
  total: number;
  /** Sum of the lines' `amount_total`. */
  lines: number;
  /** What shipping cost, taxes included. */
  shipping: number;
  /** `lines + shipping - total`; 0 is the proof. */
  difference: number;
  /** `amount_total` of each line, in order. */
  perLine: { lineId: string; amount: number }[];
}
