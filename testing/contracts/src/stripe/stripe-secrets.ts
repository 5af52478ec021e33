import type { RunVariables } from '../transport';

/** The credentials of a run, as the headers need them. */
export function stripeSecrets(apiKey: string, restrictedKey: string | undefined): RunVariables['secrets'] {
  const apiKeyBasic = `Basic ${Buffer.from(`${apiKey}:`).toString('base64')}`;
  return { apiKey, apiKeyBasic, ...(restrictedKey === undefined ? {} : { restrictedKey }) };
}
