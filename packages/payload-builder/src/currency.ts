// Stripe's minor units, not ISO 4217's: Stripe sends ISK and UGX as if they had two decimals and MGA with none, so
// neither ISO tables nor Intl may be asked (Stripe: "Supported currencies", zero-decimal and special cases).
const zeroDecimal = new Set([
  'bif',
  'clp',
  'djf',
  'gnf',
  'jpy',
  'kmf',
  'krw',
  'mga',
  'pyg',
  'rwf',
  'vnd',
  'vuv',
  'xaf',
  'xof',
  'xpf',
]);
const threeDecimal = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);

/** How many decimals Stripe's amounts in this currency carry: 0, 2 or 3. An unknown currency counts as 2. */
export function currencyExponent(currency: string): 0 | 2 | 3 {
  const code = currency.toLowerCase();
  if (zeroDecimal.has(code)) return 0;
  return threeDecimal.has(code) ? 3 : 2;
}

/** An amount of minor units as people read it: `formatMinor(18000, 'usd')` is `"180.00 USD"`. For screens only. */
export function formatMinor(amount: number | bigint, currency: string): string {
  const exponent = currencyExponent(currency);
  const minor = BigInt(amount);
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent === 0 ? '' : `.${digits.slice(-exponent)}`;
  return `${minor < 0n ? '-' : ''}${whole}${fraction} ${currency.toUpperCase()}`;
}
