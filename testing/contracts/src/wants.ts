/** What a value should be: itself, or of a kind. Texts may hold placeholders. */
export type Want = string | number | boolean | null | Kind;

export interface Kind {
  readonly says: string;
  readonly fits: (value: unknown, fill: (text: string) => string) => boolean;
}

export const aText: Kind = { says: 'a text', fits: (value) => typeof value === 'string' };
export const aFilledText: Kind = {
  says: 'a text, not empty',
  fits: (value) => typeof value === 'string' && value !== '',
};
export const aNumber: Kind = { says: 'a number', fits: (value) => typeof value === 'number' };
export const aFlag: Kind = { says: 'true or false', fits: (value) => typeof value === 'boolean' };
export const absent: Kind = { says: 'not there', fits: (value) => value === undefined };
export const present: Kind = { says: 'there, maybe null', fits: (value) => value !== undefined };
export const aTextOrNull: Kind = {
  says: 'a text or null',
  fits: (value) => value === null || typeof value === 'string',
};
export const aList: Kind = { says: 'a list', fits: (value) => Array.isArray(value) };
export const anObject: Kind = { says: 'an object', fits: (value) => isObject(value) };
export const nothingInside: Kind = {
  says: 'an empty object',
  fits: (value) => isObject(value) && Object.keys(value).length === 0,
};
export const aRefusalStatus: Kind = {
  says: 'an HTTP status from 400 on',
  fits: (value) => typeof value === 'number' && value >= 400,
};

export function listOf(length: number): Kind {
  return { says: `a list of ${length}`, fits: (value) => Array.isArray(value) && value.length === length };
}

export function oneOf(...wants: readonly Want[]): Kind {
  return {
    says: `one of: ${wants.map(sayWant).join(', ')}`,
    fits: (value, fill) => wants.some((want) => fitsWant(want, value, fill)),
  };
}

export function anythingBut(...wants: readonly Want[]): Kind {
  return {
    says: `anything but ${wants.map(sayWant).join(', ')}`,
    fits: (value, fill) => !wants.some((want) => fitsWant(want, value, fill)),
  };
}

export function textLike(pattern: RegExp): Kind {
  return { says: `a text like ${pattern}`, fits: (value) => typeof value === 'string' && pattern.test(value) };
}

/** Somewhere inside, at any depth (folders nest), stands an object with this `name`. */
export function naming(name: string): Kind {
  return { says: `a list that names ${name}`, fits: (value, fill) => namesOf(value).includes(fill(name)) };
}

export function fitsWant(want: Want, value: unknown, fill: (text: string) => string): boolean {
  if (typeof want === 'string') return value === fill(want);
  if (typeof want === 'object' && want !== null) return want.fits(value, fill);
  return value === want;
}

export function sayWant(want: Want): string {
  return typeof want === 'object' && want !== null ? want.says : JSON.stringify(want);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function namesOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.flatMap(namesOf);
  if (!isObject(value)) return [];
  return [value.name, ...Object.values(value).flatMap(namesOf)];
}
