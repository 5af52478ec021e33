import { formatMinor } from '@bridge/payload-builder';

/** `7,380.00 USD`: an amount of minor units for people's screens. */
export function moneyText(amount: number | bigint, currency: string): string {
  const [number = '', code = ''] = formatMinor(amount, currency).split(' ');
  const [whole = '', fraction] = number.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${grouped}${fraction === undefined ? '' : `.${fraction}`} ${code}`;
}

/** `7380.00`: for programs and tables that calculate. */
export const decimalText = (amount: number | bigint, currency: string): string =>
  formatMinor(amount, currency).split(' ')[0] ?? '';
