import type { Random } from './random';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Makes ids with Stripe's prefixes and lengths, for example `pi_3…` or `cs_test_a1…`. */
export class Ids {
  constructor(private readonly random: Random) {}

  next(prefix: string, length = 24): string {
    let tail = '';
    while (tail.length < length) tail += ALPHABET[this.random.between(0, ALPHABET.length - 1)];
    return `${prefix}_${tail}`;
  }

  /** Ids such as `evt_1…` and `pi_3…`: a digit, then 23 characters. */
  numbered(prefix: string, digit: 1 | 3): string {
    return `${prefix}_${digit}${this.next('', 23).slice(1)}`;
  }

  session(livemode: boolean): string {
    return this.next(livemode ? 'cs_live' : 'cs_test', 58);
  }
}
