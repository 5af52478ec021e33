import { type JsonObject, toJson } from '../json';
import { invalidRequest, resourceMissing } from './api-error';
import type { Parameters } from './parameters';

/**
 * One page of a list (Stripe: API reference, pagination). `items` is the whole list in its order, newest first for
 * objects. `starting_after` gives what follows the cursor, `ending_before` the items just before it, still in the
 * list's order; `has_more` looks in the direction of travel. 1 to 100 items, 10 when nothing is said.
 */
export function page<T extends { id: string }>(
  items: readonly T[],
  parameters: Parameters,
  url: string,
  kind: string,
): JsonObject & { data: JsonObject[] } {
  const limit = parameters.whole('limit') ?? 10;
  if (limit < 1)
    throw invalidRequest('This value must be greater than or equal to 1.', 'limit', 'parameter_invalid_integer');
  if (limit > 100)
    throw invalidRequest('This value must be less than or equal to 100.', 'limit', 'parameter_invalid_integer');
  const after = parameters.text('starting_after');
  const before = parameters.text('ending_before');
  if (after !== undefined && before !== undefined) {
    throw invalidRequest('You cannot specify both starting_after and ending_before.', 'starting_after');
  }
  if (before !== undefined) {
    const end = position(items, before, 'ending_before', kind);
    const start = Math.max(0, end - limit);
    return list(items.slice(start, end), start > 0, url);
  }
  const start = after === undefined ? 0 : position(items, after, 'starting_after', kind) + 1;
  return list(items.slice(start, start + limit), items.length > start + limit, url);
}

function position(items: readonly { id: string }[], id: string, param: string, kind: string): number {
  const found = items.findIndex((item) => item.id === id);
  if (found < 0) throw resourceMissing(kind, id, param, 400);
  return found;
}

export function list(items: readonly object[], hasMore: boolean, url: string): JsonObject & { data: JsonObject[] } {
  return { object: 'list', data: items.map(toJson), has_more: hasMore, url };
}
