import { lookupIn, shapeFor } from './api/shapes-by-version';
import type { JsonObject } from './json';
import type { Entry, EventRecord } from './store';

/** The event as Stripe shows it in one API version; `pendingWebhooks` counts the endpoints not yet served. */
export function renderEvent(entry: Entry<EventRecord>, apiVersion: string, pendingWebhooks: number): JsonObject {
  const record = entry.value;
  const object = structuredClone(record.object);
  shapeFor(apiVersion, object, lookupIn(record.embedded));
  return {
    id: record.id,
    object: 'event',
    ...(entry.account === null ? {} : { account: entry.account }),
    api_version: apiVersion,
    created: record.created,
    data: {
      object,
      ...(record.previousAttributes === null
        ? {}
        : { previous_attributes: structuredClone(record.previousAttributes) }),
    },
    livemode: entry.livemode,
    pending_webhooks: pendingWebhooks,
    request: { ...record.request },
    type: record.type,
  };
}
