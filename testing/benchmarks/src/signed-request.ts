import { createHmac } from 'node:crypto';

/** The bytes of a whole HTTP request as Stripe would send it, signed now. */
export function signedRequest(body: string, secret: string, path = '/webhooks/stripe'): Buffer {
  const bytes = Buffer.from(body);
  const seconds = Math.floor(Date.now() / 1_000);
  const signature = createHmac('sha256', secret).update(`${seconds}.`).update(bytes).digest('hex');
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    'Accept: */*; q=0.5, application/xml',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${bytes.length}`,
    `Stripe-Signature: t=${seconds},v1=${signature}`,
  ].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), bytes]);
}
