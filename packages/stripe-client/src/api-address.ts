/** Scheme, host and port of a stand-in, as the SDK takes them; nothing for Stripe itself. Throws TypeError. */
export function addressOf(apiBase: string | undefined) {
  if (apiBase === undefined) return {};
  const url = new URL(apiBase);
  const protocol = url.protocol.slice(0, -1);
  if ((protocol !== 'http' && protocol !== 'https') || url.pathname !== '/' || url.search !== '') {
    throw new TypeError('The address of Stripe’s API is scheme, host and port: https://host:port');
  }
  // IPv6 addresses stand in brackets in a URL and without them in a socket's address.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { protocol, host, port: url.port === '' ? (protocol === 'http' ? 80 : 443) : Number(url.port) } as const;
}
