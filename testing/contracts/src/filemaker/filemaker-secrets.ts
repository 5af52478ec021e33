import type { RunVariables } from '../transport';

/** The credentials of a run, as the headers that carry them. */
export function filemakerSecrets(username: string, password: string, run: string): RunVariables['secrets'] {
  return { basic: basic(username, password), basicNobody: basic(`${run}-nobody`, run), password };
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

/** The same name with upper and lower case turned round. */
export function inOtherCase(name: string): string {
  return [...name]
    .map((letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()))
    .join('');
}
