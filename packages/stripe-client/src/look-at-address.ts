/** What came back from an address, without following it anywhere. */
export interface AddressSeen {
  /** `certificate`: somebody answers there, and cannot prove to be who the address names. */
  outcome: 'answered' | 'certificate' | 'unreachable';
  status: number | null;
  /** Where a redirect leads. */
  location: string | null;
  /** The `Date` that the other side put on its answer: whole seconds. */
  date: Date | null;
  /** Milliseconds from asking to the answer's head. */
  tookMs: number;
  /** Node's word for why nothing came, e.g. `ECONNREFUSED`. */
  cause: string | null;
}

const CERTIFICATE = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

const textOf = (value: unknown, name: 'code' | 'name'): string | undefined => {
  const text: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof text === 'string' ? text : undefined;
};
const causeOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, 'cause') : undefined;

/**
 * One plain GET, no key, no body, no redirect followed: Stripe follows none either. For two questions that need no API
 * call: does a webhook's address lead straight to its receiver, and what time is it over there. Never rejects.
 */
export async function lookAtAddress(url: string, options: { timeoutMs: number }): Promise<AddressSeen> {
  const begun = performance.now();
  const unseen = { status: null, location: null, date: null };
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(options.timeoutMs) });
    const tookMs = Math.round(performance.now() - begun);
    await answer.body?.cancel();
    const date = new Date(answer.headers.get('date') ?? '');
    return {
      outcome: 'answered',
      status: answer.status,
      location: answer.headers.get('location'),
      date: Number.isNaN(date.getTime()) ? null : date,
      tookMs,
      cause: null,
    };
  } catch (error) {
    const tookMs = Math.round(performance.now() - begun);
    const late = textOf(error, 'name') === 'TimeoutError' ? 'TIMEOUT' : undefined;
    const cause = textOf(causeOf(error), 'code') ?? late ?? textOf(error, 'name') ?? 'unknown';
    return { outcome: CERTIFICATE.test(cause) ? 'certificate' : 'unreachable', ...unseen, tookMs, cause };
  }
}
