import type { Random } from '../random';

/** What can go wrong with a call. `down` refuses every connection for a while. */
export const TROUBLE_KINDS = [
  'rate-limit',
  'lock-timeout',
  'server-error',
  'reset',
  'slow',
  'truncated',
  'hang',
  'unauthorized',
  'forbidden',
  'down',
] as const;

/** What a call to Stripe's door can meet. */
export type TroubleKind = (typeof TROUBLE_KINDS)[number];

/** Which calls meet a trouble, and how often. */
export interface TroubleRule {
  kind: TroubleKind;
  /** Only calls whose path begins so, for example `/v1/checkout/sessions`. */
  pathPrefix?: string | undefined;
  method?: string | undefined;
  /** The next so many matching calls; without `next` and `fraction` every one. */
  next?: number | undefined;
  /** Each matching call with this chance. */
  fraction?: number | undefined;
  /** How long the trouble lasts in real ms (`down`: needed), or how slow is slow. */
  forMs?: number | undefined;
  slowMs?: number | undefined;
  /** `before`: nothing was done. `after`: the work was done and only the answer suffers. */
  when?: 'before' | 'after' | undefined;
  /** `rate-limit`: the value of Stripe-Rate-Limited-Reason; without one a plain 429. */
  reason?: string | undefined;
}

interface LiveRule extends TroubleRule {
  left: number;
  untilMs: number;
}

/** The troubles that are switched on, oldest first; the first that fits a call takes it. */
export class Trouble {
  #rules: LiveRule[] = [];

  constructor(private readonly random: () => Random) {}

  add(rule: TroubleRule): void {
    this.#rules.push({
      ...rule,
      left: rule.next ?? Number.POSITIVE_INFINITY,
      untilMs: rule.forMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + rule.forMs,
    });
  }

  clear(): void {
    this.#rules = [];
  }

  active(): TroubleRule[] {
    this.#forgetSpent();
    return this.#rules.map(({ untilMs, ...rule }) => rule);
  }

  take(method: string, path: string): TroubleRule | null {
    this.#forgetSpent();
    const rule = this.#rules.find(
      ({ pathPrefix, method: onlyMethod, fraction }) =>
        path.startsWith(pathPrefix ?? '') &&
        (onlyMethod ?? method).toUpperCase() === method &&
        (fraction === undefined || this.random().chance(fraction)),
    );
    if (rule === undefined) return null;
    rule.left -= 1;
    return rule;
  }

  #forgetSpent(): void {
    const now = performance.now();
    this.#rules = this.#rules.filter(({ left, untilMs }) => left > 0 && now < untilMs);
  }
}
