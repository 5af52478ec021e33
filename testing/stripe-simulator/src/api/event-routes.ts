import { renderEvent } from '../event-body';
import type { Entry, EventRecord } from '../store';
import { invalidRequest, resourceMissing } from './api-error';
import { find, listOf } from './lookup';
import type { Call, Route } from './route';

/** How far back the API gives events (Stripe: API reference, events). */
const RETENTION_SECONDS = 30 * 86_400;
const TYPES_MAX = 20;

export const eventRoutes: Route[] = [
  { method: 'get', path: '/v1/events', resource: 'events', kind: 'event', handle: listEvents },
  {
    method: 'get',
    path: '/v1/events/:id',
    resource: 'events',
    kind: 'event',
    handle: (call) => {
      call.parameters.only();
      const entry = find(call, call.world.store.events, 'event', call.id);
      if (entry.created < oldest(call)) throw resourceMissing('event', call.id);
      return shown(call, entry);
    },
  },
];

function listEvents(call: Call): ReturnType<Route['handle']> {
  const wanted = typeFilter(call);
  const success = call.parameters.flag('delivery_success');
  const since = oldest(call);
  const pageOfRecords = listOf(
    call,
    call.world.store.events,
    'event',
    ['created', 'delivery_success', 'type', 'types'],
    (record, entry) =>
      entry.created >= since &&
      wanted(record.type) &&
      (success === undefined || (call.deliveries.pendingWebhooks(record.id) === 0) === success),
  );
  const records = Array.isArray(pageOfRecords.data) ? pageOfRecords.data : [];
  const ids = records.map((record) => String((record as { id: unknown }).id));
  const entries = ids.flatMap((id) => call.world.store.events.entry(id) ?? []);
  return { ...pageOfRecords, data: entries.map((entry) => shown(call, entry)) };
}

/** Read through the API, an event keeps the shape of the account's version when it was made, whatever the request names. */
function shown(call: Call, entry: Entry<EventRecord>): ReturnType<Route['handle']> {
  return renderEvent(entry, entry.value.apiVersion, call.deliveries.pendingWebhooks(entry.value.id));
}

function oldest(call: Call): number {
  return call.world.clock.nowSeconds() - RETENTION_SECONDS;
}

function typeFilter(call: Call): (type: string) => boolean {
  const type = call.parameters.text('type');
  const types = call.parameters.texts('types');
  if (type !== undefined && types !== undefined)
    throw invalidRequest('You may only specify one of type or types.', 'types');
  if (types !== undefined) {
    if (types.length > TYPES_MAX) throw invalidRequest(`You may pass at most ${TYPES_MAX} types.`, 'types');
    return (candidate) => types.includes(candidate);
  }
  if (type === undefined) return () => true;
  const pattern = new RegExp(`^${type.split('*').map(literally).join('.*')}$`);
  return (candidate) => pattern.test(candidate);
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
