import { z } from 'zod';

/** One of Stripe's objects as plain JSON: what is inside is the reader's to check. */
export interface StripeObject {
  readonly id: string;
  readonly object: string;
  readonly [field: string]: unknown;
}

const stripeObject = z.looseObject({ id: z.string().min(1), object: z.string() });
const stripeList = z.looseObject({ data: z.array(stripeObject), has_more: z.boolean() });

/**
 * What the SDK gives, as the JSON it came from. The SDK turns decimals such as `unit_amount_decimal` into objects of
 * its own; they become the text that Stripe sent, so that an object read here equals the same object in a webhook.
 */
export function toPlainJson(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer));
}

export function asStripeObject(value: unknown, kind?: string): StripeObject | null {
  const parsed = stripeObject.safeParse(value);
  return parsed.success && (kind === undefined || parsed.data.object === kind) ? parsed.data : null;
}

/** A list object, as an answer or inside another object. */
export function asStripeList(value: unknown): { items: StripeObject[]; hasMore: boolean } | null {
  const parsed = stripeList.safeParse(value);
  return parsed.success ? { items: parsed.data.data, hasMore: parsed.data.has_more } : null;
}
