import { isJsonObject, type Json, type JsonObject } from '../json';
import type { Embedded } from '../store';
import { invalidRequest } from './api-error';
import { list } from './paging';

/** Which objects an older shape embeds, looked up when it is rendered. */
export type EmbeddedLookup = (kind: 'charges-of-intent' | 'refunds-of-charge', id: string) => JsonObject[];

interface ShapeChange {
  /** The first API version with the new shape; earlier ones get what `older` makes of it. */
  since: string;
  kind: string;
  older: (object: JsonObject, lookup: EmbeddedLookup) => void;
}

/**
 * What changed in the objects we render, newest first: an old version is reached by undoing one change after the
 * other (Stripe: API changelog; stripe-node: CHANGELOG). Only changes a reader of one-off sales can meet are here.
 */
const CHANGES: ShapeChange[] = [
  {
    since: '2026-03-25',
    kind: 'checkout.session',
    older: (session) => {
      const former: Record<string, string> = { hosted_page: 'hosted', embedded_page: 'embedded', elements: 'custom' };
      const mode = session.ui_mode;
      if (typeof mode === 'string') session.ui_mode = former[mode] ?? mode;
    },
  },
  {
    since: '2025-12-15',
    kind: 'item',
    older: (item) => {
      delete item.metadata;
    },
  },
  {
    since: '2025-03-31',
    kind: 'checkout.session',
    older: (session) => {
      const collected = session.collected_information;
      const shipping = isJsonObject(collected) ? collected.shipping_details : null;
      session.shipping_details = isJsonObject(shipping)
        ? {
            address: shipping.address ?? null,
            carrier: null,
            name: shipping.name ?? null,
            phone: null,
            tracking_number: null,
          }
        : null;
    },
  },
  {
    since: '2025-03-31',
    kind: 'payment_intent',
    older: (intent) => {
      intent.invoice = null;
    },
  },
  {
    since: '2025-03-31',
    kind: 'charge',
    older: (charge) => {
      charge.invoice = null;
    },
  },
  {
    since: '2025-02-24',
    kind: 'checkout.session',
    older: (session) => {
      delete session.collected_information;
    },
  },
  {
    since: '2022-11-15',
    kind: 'payment_intent',
    older: (intent, lookup) => {
      const id = String(intent.id);
      intent.charges = list(lookup('charges-of-intent', id), false, `/v1/charges?payment_intent=${id}`);
      delete intent.latest_charge;
    },
  },
  {
    since: '2022-11-15',
    kind: 'charge',
    older: (charge, lookup) => {
      const id = String(charge.id);
      charge.refunds ??= list(lookup('refunds-of-charge', id), false, `/v1/charges/${id}/refunds`);
    },
  },
  {
    since: '2022-08-01',
    kind: 'checkout.session',
    older: (session) => {
      session.shipping = session.shipping_details ?? null;
      delete session.shipping_details;
      const cost = session.shipping_cost;
      session.shipping_rate = (isJsonObject(cost) ? cost.shipping_rate : null) ?? null;
      delete session.shipping_cost;
    },
  },
];

/** Rewrites `value`, in place, into the shape of that API version. */
export function shapeFor(version: string, value: Json, lookup: EmbeddedLookup): void {
  const date = version.slice(0, 10);
  const changes = CHANGES.filter(({ since }) => date < since);
  if (changes.length > 0) reshape(value, changes, lookup);
}

function reshape(value: Json | undefined, changes: ShapeChange[], lookup: EmbeddedLookup): void {
  if (Array.isArray(value)) {
    for (const item of value) reshape(item, changes, lookup);
    return;
  }
  if (!isJsonObject(value)) return;
  for (const change of changes) if (change.kind === value.object) change.older(value, lookup);
  for (const inner of Object.values(value)) reshape(inner, changes, lookup);
}

/** Looks in what was copied when an event was made, so that a later change does not show. */
export function lookupIn(embedded: Embedded): EmbeddedLookup {
  return (kind, id) => {
    const objects = kind === 'charges-of-intent' ? embedded.charges : embedded.refunds;
    const holder = kind === 'charges-of-intent' ? 'payment_intent' : 'charge';
    return objects.filter((object) => object[holder] === id).map((object) => structuredClone(object));
  };
}

/** `2022-11-15` or `2025-03-31.basil`. */
export function checkVersion(version: string): string {
  if (!/^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$/.test(version)) {
    throw invalidRequest(`Invalid Stripe API version: ${version}`);
  }
  return version;
}
