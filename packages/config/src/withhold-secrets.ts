import { inspect } from 'node:util';

/**
 * Makes an object that holds secrets show `[secret]` in `JSON.stringify`, `util.inspect` and so in every log line.
 * The two methods are enumerable on purpose: `{ ...config.stripe, timeoutMs }` takes them along, and the copy keeps
 * silent as well. Their types stay hidden, so that a caller sees only the settings.
 */
export function withholdSecrets<T extends object>(section: T, names: readonly (keyof T & string)[]): Readonly<T> {
  const secret = new Set<string>(names);
  function redacted(this: object): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(this)
        .filter(([name, value]) => name !== 'toJSON' && value !== undefined)
        .map(([name, value]) => [name, secret.has(name) ? '[secret]' : value]),
    );
  }
  return Object.freeze({ ...section, toJSON: redacted, [inspect.custom]: redacted });
}
