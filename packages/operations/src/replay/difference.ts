/** One field of a payload in two versions. Undefined: the field is not in that version. */
export interface FieldChange {
  /** `items[0].quantity`; a name that is no plain word stands in brackets: `metadata["a.b"]`. Empty: the whole. */
  path: string;
  before: unknown;
  after: unknown;
}

/** Sees the difference between nothing and a field that is there, whatever its value. */
const MISSING = undefined;
const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function under(path: string, name: string): string {
  if (!PLAIN_NAME.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

function compare(path: string, before: unknown, after: unknown, changes: FieldChange[]): void {
  if (Object.is(before, after)) return;
  if (isObject(before) && isObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const [one, other] = [before, after].map((object) => (Object.hasOwn(object, name) ? object[name] : MISSING));
      compare(under(path, name), one, other, changes);
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    for (let at = 0; at < Math.max(before.length, after.length); at += 1)
      compare(`${path}[${at}]`, before[at], after[at], changes);
    return;
  }
  changes.push({ path, before, after });
}

/** Field by field, in the order of the fields, what leads from one payload to the other. Both are JSON. Pure. */
export function differenceOf(before: unknown, after: unknown): FieldChange[] {
  const changes: FieldChange[] = [];
  compare('', before, after, changes);
  return changes;
}

/** Names the announcing event, which is another one at every replay; it says nothing about the payment. */
const NOT_COMPARED: ReadonlySet<string> = new Set(['event_id']);

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
}

/** The difference between two frozen payloads, without what differs at every reading. Bytes that are no JSON are one value. */
export function differenceOfBodies(before: string, after: string, volatile: readonly string[]): FieldChange[] {
  const left = new Set([...NOT_COMPARED, ...volatile]);
  return differenceOf(parsed(before), parsed(after)).filter(({ path }) => !left.has(path));
}

const shownValue = (value: unknown): string => (value === MISSING ? 'nothing' : JSON.stringify(value));

/** `items[0].quantity: "1" -> "2"`. Values are customer data: for the terminal of the person who asks. */
export const changeText = ({ path, before, after }: FieldChange): string =>
  `${path === '' ? 'payload' : path}: ${shownValue(before)} -> ${shownValue(after)}`;
