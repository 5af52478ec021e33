import { z } from 'zod';

// Every message here is written by us and never repeats the value, which may be a secret in the wrong variable.

/**
 * Builds a parser: `read` gets the trimmed text and answers with the value or `{ fault }`. `accepts` says in a few words
 * what it takes, for the reference page.
 */
function textParser<T>(accepts: string, read: (text: string) => { value: T } | { fault: string }) {
  return z
    .string()
    .transform((raw, context): T => {
      const result = read(raw.trim());
      if ('value' in result) return result.value;
      context.addIssue({ code: 'custom', message: result.fault });
      return z.NEVER;
    })
    .describe(accepts);
}

export const text = textParser('text', (value) => ({ value }));

/** A secret is taken as it stands: a password may begin or end with a space. */
export const verbatim = z.string().describe('text, taken as it stands');

export const wholeNumber = (least: number, most: number) =>
  textParser(`whole number, ${least} to ${most}`, (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most
      ? { value: number }
      : { fault: `must be a whole number from ${least} to ${most}` };
  });

export const oneOf = <const Choice extends string>(...choices: readonly Choice[]) =>
  textParser(choices.map((choice) => `\`${choice}\``).join(', '), (value) => {
    const choice = choices.find((candidate) => candidate === value);
    return choice === undefined ? { fault: `must be one of ${choices.join(', ')}` } : { value: choice };
  });

export const trueOrFalse = textParser('`true`, `false`', (value) =>
  value === 'true' || value === 'false' ? { value: value === 'true' } : { fault: 'must be true or false' },
);

/** Comma-separated, spaces around the parts and empty parts dropped. */
export const list = (partFault: (part: string) => string | undefined = () => undefined) =>
  textParser('list, comma-separated', (value) => {
    const parts = value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    if (parts.length === 0) return { fault: 'names nothing: give at least one, or leave the variable unset' };
    const index = parts.findIndex((part) => partFault(part) !== undefined);
    if (index === -1) return { value: [...new Set(parts)] };
    return { fault: `part ${index + 1} of ${parts.length} ${partFault(parts[index] ?? '')}` };
  });

export const moment = textParser('ISO 8601 moment with its zone', (value) => {
  const withZone = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value);
  const date = new Date(withZone ? value : Number.NaN);
  return Number.isNaN(date.getTime())
    ? { fault: 'must be an ISO 8601 moment with its zone, for example 2026-11-01T00:00:00Z' }
    : { value: date };
});

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

export function isLoopback(url: URL): boolean {
  return loopbackHosts.has(url.hostname) || url.hostname.startsWith('127.');
}

/** An address with one of the given schemes, for example `postgresql:`. */
export const address = (...schemes: readonly string[]) =>
  textParser(`address, ${schemes.map((scheme) => `\`${scheme}//\``).join(' or ')}`, (value) => {
    const wanted = schemes.map((scheme) => `${scheme}//`).join(' or ');
    if (!URL.canParse(value)) return { fault: `must be an address that begins with ${wanted}` };
    const url = new URL(value);
    return schemes.includes(url.protocol) ? { value } : { fault: `must begin with ${wanted}` };
  });

/**
 * The origin of a web server: scheme, host and port only, given back without a trailing slash.
 * Plain http is for a server on this machine, unless the caller allows it everywhere.
 */
export const origin = (plainHttp: 'loopback' | 'anywhere') =>
  textParser('origin: scheme, host and port', (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
      return { fault: 'must be an address that begins with https://' };
    }
    if (url.username !== '' || url.password !== '') return { fault: 'must not contain a user name or password' };
    if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
      return { fault: 'must be scheme, host and port only, without a path' };
    }
    if (url.protocol === 'http:' && plainHttp === 'loopback' && !isLoopback(url)) {
      return { fault: 'must begin with https://; http:// is accepted only for a server on this machine (localhost)' };
    }
    return { value: url.origin };
  });
