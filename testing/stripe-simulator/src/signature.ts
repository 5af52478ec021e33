import { createHmac } from 'node:crypto';

/**
 * The Stripe-Signature header: `t=<seconds>,v1=<hex>` with one v1 per live secret. The hash is HMAC-SHA256 over
 * `<t>.<body>` (Stripe: Webhooks, verify signatures manually). Written here without the stripe package, so that a
 * fault in its signer could not hide one in a verifier.
 */
export function signatureHeader(body: string, secrets: readonly string[], timestampSeconds: number): string {
  const signatures = secrets.map(
    (secret) => `v1=${createHmac('sha256', secret).update(`${timestampSeconds}.${body}`, 'utf8').digest('hex')}`,
  );
  return [`t=${timestampSeconds}`, ...signatures].join(',');
}
