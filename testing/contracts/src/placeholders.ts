/** Variables of a run and of one case; a list is only for `forEach`. */
export type Variables = Readonly<Record<string, string | readonly string[]>>;

const PLACEHOLDER = /\{([A-Za-z][A-Za-z0-9]*)\}/g;

/** A placeholder without a value: a fault of the case, not of the server. */
export class PlaceholderError extends Error {
  constructor(readonly placeholder: string) {
    super(`Nothing is known for {${placeholder}}.`);
    this.name = 'PlaceholderError';
  }
}

/** Puts values in for `{name}`. Throws `PlaceholderError` for a name without a value. */
export function fillText(text: string, variables: Variables): string {
  return text.replace(PLACEHOLDER, (_all, name: string) => {
    const value = variables[name];
    if (typeof value !== 'string') throw new PlaceholderError(name);
    return value;
  });
}

/** The same in every text inside, names of fields too. */
export function fillDeep(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return fillText(value, variables);
  if (Array.isArray(value)) return value.map((item) => fillDeep(item, variables));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [fillText(name, variables), fillDeep(inner, variables)]),
  );
}

/** Every placeholder in the texts inside. */
export function placeholdersIn(value: unknown): string[] {
  if (typeof value === 'string') return [...value.matchAll(PLACEHOLDER)].map((match) => match[1] ?? '');
  if (Array.isArray(value)) return value.flatMap(placeholdersIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...placeholdersIn(name), ...placeholdersIn(inner)]);
}
