import { readFileSync } from 'node:fs';
import { UsageError } from './arguments';
import { filemakerSecrets } from './filemaker/filemaker-secrets';
import { stripeSecrets } from './stripe/stripe-secrets';
import type { RunVariables } from './transport';

type Environment = Readonly<Record<string, string | undefined>>;

/** The secrets of a run from the environment, from nowhere else. Throws `UsageError` when one is missing or a live key. */
export function readCredentials(
  service: 'filemaker' | 'stripe',
  environment: Environment,
  run: string,
): RunVariables['secrets'] {
  if (service === 'filemaker')
    return filemakerSecrets(
      required('FILEMAKER_USERNAME', environment),
      required('FILEMAKER_PASSWORD', environment),
      run,
    );
  const apiKey = required('STRIPE_API_KEY', environment);
  const restrictedKey = optional('STRIPE_RESTRICTED_KEY', environment);
  for (const key of [apiKey, restrictedKey])
    if (key?.includes('_live_') === true) throw new UsageError('a live key is refused: the suite is for test mode');
  return stripeSecrets(apiKey, restrictedKey);
}

function required(name: string, environment: Environment): string {
  const value = optional(name, environment);
  if (value === undefined) throw new UsageError(`${name} (or ${name}_FILE) is not set`);
  return value;
}

function optional(name: string, environment: Environment): string | undefined {
  const file = environment[`${name}_FILE`];
  if (file !== undefined && file !== '') return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  return environment[name] || undefined;
}
