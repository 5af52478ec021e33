import { isJsonObject, type Json, type JsonObject, toJson } from '../json';
import type { Entry, Store } from '../store';
import { ApiError, invalidRequest } from './api-error';
import { list } from './paging';

type Step =
  | { kind: 'reference'; to: string; read: (store: Store, id: string) => object | undefined }
  | { kind: 'inside'; to: string }
  | { kind: 'include'; to: string; read: (store: Store, holder: JsonObject) => Json };

const DEPTH_MAX = 4;
/** How many entries a list has that comes along inside another object. */
const NESTED_LIST_LENGTH = 10;

const charge: Step = { kind: 'reference', to: 'charge', read: (store, id) => store.charges.get(id) };
const paymentIntent: Step = {
  kind: 'reference',
  to: 'payment_intent',
  read: (store, id) => store.paymentIntents.get(id),
};
const customer: Step = { kind: 'reference', to: 'customer', read: customerOrTombstone };
const paymentLink: Step = { kind: 'reference', to: 'payment_link', read: (store, id) => store.paymentLinks.get(id) };
const shippingRate: Step = { kind: 'reference', to: 'shipping_rate', read: (store, id) => store.shippingRates.get(id) };
const price: Step = { kind: 'reference', to: 'price', read: (store, id) => store.prices.get(id) };
const product: Step = { kind: 'reference', to: 'product', read: productOrTombstone };
/** Expandable at Stripe, never set here: asking is right, the answer stays null or an id. */
const unset: Step = { kind: 'reference', to: 'unset', read: () => undefined };

/** What may be expanded where. Names that are missing here are refused with 400, as Stripe refuses what it does not know. */
const EXPANDABLE: Record<string, Record<string, Step>> = {
  'checkout.session': {
    customer,
    payment_intent: paymentIntent,
    payment_link: paymentLink,
    invoice: unset,
    setup_intent: unset,
    subscription: unset,
    shipping_cost: { kind: 'inside', to: 'shipping_cost' },
    total_details: { kind: 'inside', to: 'total_details' },
    line_items: { kind: 'include', to: 'list:item', read: (store, holder) => nestedLines(store, String(holder.id)) },
  },
  shipping_cost: { shipping_rate: shippingRate, taxes: { kind: 'include', to: 'unset', read: () => [] } },
  total_details: { breakdown: { kind: 'include', to: 'unset', read: () => ({ discounts: [], taxes: [] }) } },
  'list:item': { data: { kind: 'inside', to: 'item' } },
  'list:refund': { data: { kind: 'inside', to: 'refund' } },
  item: {
    price: { kind: 'inside', to: 'price' },
    discounts: { kind: 'include', to: 'unset', read: () => [] },
    taxes: { kind: 'include', to: 'unset', read: () => [] },
  },
  price: { product },
  product: { default_price: price, tax_code: unset },
  payment_intent: {
    customer,
    latest_charge: charge,
    payment_method: unset,
    application: unset,
    on_behalf_of: unset,
    review: unset,
  },
  charge: {
    customer,
    payment_intent: paymentIntent,
    balance_transaction: unset,
    application: unset,
    on_behalf_of: unset,
    review: unset,
    refunds: {
      kind: 'include',
      to: 'list:refund',
      read: (store, holder) => nestedRefunds(store, String(holder.id)),
    },
  },
  refund: { charge, customer, payment_intent: paymentIntent, balance_transaction: unset, payment_method: unset },
  dispute: { charge, payment_intent: paymentIntent },
  payment_link: {
    line_items: { kind: 'include', to: 'list:item', read: () => list([], false, '') },
    application: unset,
    on_behalf_of: unset,
  },
  shipping_rate: { tax_code: unset },
  customer: { default_source: unset, test_clock: unset },
};

/**
 * Replaces ids by objects in `answer`, in place, as `expand[]` asks (Stripe: Expanding responses). Paths are at most
 * four steps deep, and on a list `data.` is one of them.
 */
export function expandAnswer(store: Store, answer: JsonObject, kind: string, paths: readonly string[]): void {
  const isList = answer.object === 'list';
  for (const path of paths) {
    const steps = path.split('.');
    if (steps.length > DEPTH_MAX) {
      throw new ApiError(
        400,
        'invalid_request_error',
        `You cannot expand more than ${DEPTH_MAX} levels of a property. Property: ${path}`,
        { code: 'property_expansion_max_depth' },
      );
    }
    if (isList && steps[0] !== 'data') throw cannotExpand(path);
    checkPath(kind, isList ? steps.slice(1) : steps, path);
    const targets = isList ? (Array.isArray(answer.data) ? answer.data : []) : [answer];
    for (const target of targets) follow(store, target, kind, isList ? steps.slice(1) : steps);
  }
}

/** The path is checked against the kinds, not the data, so that an empty list refuses the same paths. */
function checkPath(kind: string, steps: string[], path: string): void {
  let here = kind;
  for (const name of steps) {
    const known = EXPANDABLE[here] ?? {};
    const step = Object.hasOwn(known, name) ? known[name] : undefined;
    if (step === undefined) throw cannotExpand(path);
    here = step.to;
  }
}

function follow(store: Store, value: Json | undefined, kind: string, steps: string[]): void {
  if (Array.isArray(value)) {
    for (const item of value) follow(store, item, kind, steps);
    return;
  }
  const [name, ...rest] = steps;
  if (name === undefined || !isJsonObject(value)) return;
  const step = EXPANDABLE[kind]?.[name];
  if (step === undefined) return;
  const current = value[name];
  if (step.kind === 'include' && current === undefined) value[name] = step.read(store, value);
  if (step.kind === 'reference' && typeof current === 'string') {
    const found = step.read(store, current);
    if (found !== undefined) value[name] = toJson(found);
  }
  follow(store, value[name], step.to, rest);
}

function cannotExpand(path: string): ApiError {
  return invalidRequest(`This property cannot be expanded (${path}).`, 'expand');
}

function nestedLines(store: Store, sessionId: string): Json {
  const lines = store.lineItems.get(sessionId) ?? [];
  const url = `/v1/checkout/sessions/${sessionId}/line_items`;
  return list(lines.slice(0, NESTED_LIST_LENGTH), lines.length > NESTED_LIST_LENGTH, url);
}

function nestedRefunds(store: Store, chargeId: string): Json {
  const refunds = store.refunds.newestFirst().filter(({ value }) => value.charge === chargeId);
  const url = `/v1/charges/${chargeId}/refunds`;
  return list(
    refunds.slice(0, NESTED_LIST_LENGTH).map(({ value }) => value),
    refunds.length > NESTED_LIST_LENGTH,
    url,
  );
}

/** A deleted product is still found by its id, as a stub without name and metadata. */
export function productOrTombstone(store: Store, id: string): object | undefined {
  return orTombstone(store.products.entry(id), 'product');
}

/** A deleted customer likewise. */
export function customerOrTombstone(store: Store, id: string): object | undefined {
  return orTombstone(store.customers.entry(id), 'customer');
}

function orTombstone<T extends { id: string }>(entry: Entry<T> | undefined, object: string): object | undefined {
  return entry?.deleted === true ? { id: entry.value.id, object, deleted: true } : entry?.value;
}
