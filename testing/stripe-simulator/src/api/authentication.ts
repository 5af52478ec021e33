import type { StripeSimulatorSettings } from '../settings';
import { ApiError } from './api-error';

export interface Caller {
  livemode: boolean;
  /** Null may do everything; a restricted key's permissions, for example `refunds:write`. */
  permissions: string[] | null;
}

/** Reads `Authorization: Bearer <key>` or HTTP Basic with the key as user (Stripe: API reference, authentication). */
export function authenticate(header: string | undefined, settings: StripeSimulatorSettings): Caller {
  const key = keyFrom(header);
  if (key === null) {
    throw new ApiError(401, 'invalid_request_error', 'You did not provide an API key.');
  }
  const permissions = settings.restrictedKeys[key];
  if (key !== settings.apiKey && permissions === undefined) {
    throw invalidKey(key);
  }
  return { livemode: key.includes('_live_'), permissions: permissions ?? null };
}

export function invalidKey(key: string): ApiError {
  return new ApiError(401, 'invalid_request_error', `Invalid API Key provided: ${masked(key)}`);
}

/** Refuses when a restricted key lacks the permission. */
export function permit(caller: Caller, resource: string, access: 'read' | 'write'): void {
  if (caller.permissions === null) return;
  const enough = [
    `${resource}:${access}`,
    `*:${access}`,
    ...(access === 'read' ? [`${resource}:write`, '*:write'] : []),
  ];
  if (!enough.some((name) => caller.permissions?.includes(name))) throw forbidden(resource, access);
}

export function forbidden(resource: string, access: 'read' | 'write'): ApiError {
  return new ApiError(
    403,
    'invalid_request_error',
    `The provided key does not have the required permissions for this endpoint. Having the 'rak_${resource}_${access}' permission would allow this request to continue.`,
    { code: 'more_permissions_required' },
  );
}

function keyFrom(header: string | undefined): string | null {
  const [scheme, value] = (header ?? '').split(' ');
  if (value === undefined || value === '') return null;
  if (scheme?.toLowerCase() === 'bearer') return value;
  if (scheme?.toLowerCase() === 'basic') return Buffer.from(value, 'base64').toString('utf8').split(':')[0] ?? null;
  return null;
}

function masked(key: string): string {
  return key.length > 12 ? `${key.slice(0, 8)}${'*'.repeat(8)}${key.slice(-4)}` : '*'.repeat(key.length);
}
