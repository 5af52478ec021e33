import type Stripe from 'stripe';

// The stripe package opens nearly every enum with a string fallback, so that a consumer expects new values. A producer
// must not use that fallback: these types close the enums again, so that a value Stripe does not document fails to compile.
type LiteralOf<T> = T extends string ? (string extends T ? never : T) : never;
export type Closed<T> = [LiteralOf<T>] extends [never] ? T : LiteralOf<T> | Exclude<T, string>;

// "string | Customer | null" is an id or, when asked for, the object. What is stored holds ids only.
type Unexpanded<T> = [LiteralOf<T>] extends [never]
  ? [Extract<T, string>] extends [never]
    ? T
    : [Extract<T, Stripe.Decimal>] extends [never]
      ? Exclude<T, object>
      : T
  : T;

/** A type of the stripe package as it travels in JSON: enums closed, references as ids, decimals as strings. */
export type Wire<T> = T extends Stripe.Decimal
  ? string
  : T extends readonly (infer Item)[]
    ? Wire<Unexpanded<Closed<Item>>>[]
    : T extends object
      ? { [Key in keyof T]: Wire<Unexpanded<Closed<T[Key]>>> }
      : T;

export type Session = Wire<Stripe.Checkout.Session>;
export type LineItem = Wire<Stripe.LineItem>;
export type PaymentIntent = Wire<Stripe.PaymentIntent>;
export type Charge = Wire<Stripe.Charge>;
export type Refund = Wire<Omit<Stripe.Refund, 'status'>> & { status: RefundStatus };
export type Dispute = Wire<Stripe.Dispute>;
export type Price = Wire<Stripe.Price>;
export type Product = Wire<Stripe.Product>;
export type Customer = Wire<Stripe.Customer>;
export type PaymentLink = Wire<Stripe.PaymentLink>;
export type ShippingRate = Wire<Stripe.ShippingRate>;
export type Account = Wire<Stripe.Account>;
export type WebhookEndpoint = Wire<Omit<Stripe.WebhookEndpoint, 'status'>> & { status: 'enabled' | 'disabled' };
export type EventType = Closed<Stripe.Event.Type>;
export type Address = Wire<Stripe.Address>;

/** The package types a refund's status as a plain string; its documentation names these five. */
export type RefundStatus = 'pending' | 'requires_action' | 'succeeded' | 'failed' | 'canceled';
export type DisputeStatus = Dispute['status'];
