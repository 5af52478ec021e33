import { type JsonObject, toJson } from '../json';
import type { Collection, Entry } from '../store';
import { ApiError, resourceMissing } from './api-error';
import { page } from './paging';
import type { Call } from './route';

/** The object of the path, when this caller may see it; else Stripe's 404. */
export function find<T extends { id: string }>(
  call: Call,
  collection: Collection<T>,
  kind: string,
  id: string,
): Entry<T> {
  const entry = collection.entry(id);
  if (entry === undefined || entry.account !== call.account) throw resourceMissing(kind, id);
  if (entry.livemode !== call.caller.livemode) {
    const [there, here] = entry.livemode ? ['live', 'test'] : ['test', 'live'];
    throw new ApiError(
      404,
      'invalid_request_error',
      `No such ${kind}: '${id}'; a similar object exists in ${there} mode, but a ${here} mode key was used to make this request.`,
      { code: 'resource_missing', param: 'id' },
    );
  }
  return entry;
}

/** A page of what this caller may see, newest first. `filters` are the names the endpoint knows beside paging. */
export function listOf<T extends { id: string }>(
  call: Call,
  collection: Collection<T>,
  kind: string,
  filters: readonly string[],
  keep: (value: T, entry: Entry<T>) => boolean,
): JsonObject {
  call.parameters.only('limit', 'starting_after', 'ending_before', ...filters);
  const created = call.parameters.created();
  const visible = collection
    .newestFirst()
    .filter(
      (entry) =>
        !entry.deleted &&
        entry.account === call.account &&
        entry.livemode === call.caller.livemode &&
        created(entry.created) &&
        keep(entry.value, entry),
    );
  return page(
    visible.map(({ value }) => value),
    call.parameters,
    call.path,
    kind,
  );
}

export function retrieve<T extends { id: string }>(
  collection: (call: Call) => Collection<T>,
  kind: string,
): (call: Call) => JsonObject {
  return (call) => {
    call.parameters.only();
    return toJson(find(call, collection(call), kind, call.id).value);
  };
}

/** True when no such filter was given or the value is the one asked for. */
export function matches(call: Call, filter: string, value: string | null | undefined): boolean {
  const wanted = call.parameters.text(filter);
  return wanted === undefined || wanted === value;
}
