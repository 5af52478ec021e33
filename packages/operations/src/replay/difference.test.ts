import fc from 'fast-check';
import { changeText, differenceOf, differenceOfBodies, type FieldChange } from './difference';

/** What JSON can carry: it knows one zero. */
const json = fc.jsonValue({ maxDepth: 4 }).map((value): unknown => JSON.parse(JSON.stringify(value)));
const at = (value: unknown, step: string | number): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, step)
    ? (value as Record<string | number, unknown>)[step]
    : undefined;

/** Reads a path without knowing how it was written. */
function stepsOf(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  for (const [, index, quoted, name] of path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.[\]]+)/g)) {
    if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(JSON.parse(quoted) as string);
    else if (name !== undefined) steps.push(name);
  }
  return steps;
}
const follow = (value: unknown, path: string): unknown => stepsOf(path).reduce(at, value);
const canonical = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(canonical)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((name) => [name, canonical(at(value, name))]),
        )
      : value;
const same = (one: unknown, other: unknown): boolean =>
  JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));

test('a payload differs from itself nowhere, in whatever order its fields stand', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(differenceOf(value, JSON.parse(JSON.stringify(canonical(value))))).toEqual([]);
    }),
  );
});

test('two payloads that differ are told apart, and two that tell no difference are the same', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      expect(differenceOf(before, after).length === 0).toBe(same(before, after));
    }),
  );
});

test('every change names a place that holds the two values it tells, and no place twice', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      const changes = differenceOf(before, after);
      for (const change of changes) {
        expect(follow(before, change.path)).toEqual(change.before);
        expect(follow(after, change.path)).toEqual(change.after);
      }
      expect(new Set(changes.map(({ path }) => path)).size).toBe(changes.length);
    }),
  );
});

test('seen from the other side the same places differ, with the values exchanged', () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      const turned = (change: FieldChange): FieldChange => ({ ...change, before: change.after, after: change.before });
      const byPath = (a: FieldChange, b: FieldChange): number => (a.path < b.path ? -1 : 1);
      expect(differenceOf(other, one).sort(byPath)).toEqual(differenceOf(one, other).map(turned).sort(byPath));
    }),
  );
});

test('a change is written as a person reads it', () => {
  const before = { items: [{ quantity: '1' }], note: 'a' };
  const after = { items: [{ quantity: '2' }, { quantity: '3' }], 'ship.to': 'b' };
  expect(differenceOf(before, after).map(changeText)).toEqual([
    'items[0].quantity: "1" -> "2"',
    'items[1]: nothing -> {"quantity":"3"}',
    'note: "a" -> nothing',
    '["ship.to"]: nothing -> "b"',
  ]);
  expect(differenceOf('a', 1).map(changeText)).toEqual(['payload: "a" -> 1']);
});

test('the announcing event and what Stripe makes anew at each reading are no difference', () => {
  const body = (rest: object): string =>
    JSON.stringify({ invoice_id: '1', event_id: 'evt_1', receipt_url: 'a', ...rest });
  expect(differenceOfBodies(body({}), body({ event_id: 'replay_1_1', receipt_url: 'b' }), ['receipt_url'])).toEqual([]);
  expect(differenceOfBodies(body({}), body({ invoice_id: '2' }), ['receipt_url'])).toHaveLength(1);
  // Only at the top: a field of the same name inside belongs to the payment.
  expect(differenceOfBodies('{"a":{"event_id":"1"}}', '{"a":{"event_id":"2"}}', [])).toHaveLength(1);
  expect(differenceOfBodies('no json', 'no json', [])).toEqual([]);
  expect(differenceOfBodies('no json', '{}', [])).toHaveLength(1);
});
