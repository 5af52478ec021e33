import { readFileSync } from 'node:fs';

const livePattern = /\b(?:sk|rk)_live_/;

/**
 * The name of a variable that holds a live Stripe key, itself or in the file that a `…_FILE` variable names.
 * The demo uses no key of the environment; it refuses to run beside a live one all the same, since whoever has one
 * loaded may believe that this is the real bridge.
 */
export function findLiveKey(env: NodeJS.ProcessEnv): string | undefined {
  return Object.entries(env).find(([name, value = '']) => livePattern.test(value) || holdsLiveKey(name, value))?.[0];
}

function holdsLiveKey(name: string, value: string): boolean {
  if (!/^STRIPE_.*_FILE$/.test(name)) return false;
  try {
    return livePattern.test(readFileSync(value, 'utf8'));
  } catch {
    // A file that cannot be read gives no key to anybody.
    return false;
  }
}
