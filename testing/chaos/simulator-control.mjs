// The control APIs of the two simulators, as the chaos run needs them. Shares nothing with the bridge.
import http from 'node:http';
import https from 'node:https';

/** JSON in, JSON out. `ca` is the PEM text of the one certificate to trust. */
function caller(base, ca) {
  const { request } = base.startsWith('https:') ? https : http;
  return (method, path, body, timeoutMs = 30_000) =>
    new Promise((resolve, reject) => {
      const call = request(`${base}/_simulator${path}`, {
        method,
        ca,
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      call.once('error', reject);
      call.once('response', async (response) => {
        try {
          let text = '';
          for await (const chunk of response.setEncoding('utf8')) text += chunk;
          if (response.statusCode < 300) resolve(JSON.parse(text));
          else
            reject(
              new Error(`${method} ${path} of the simulator answered ${response.statusCode}: ${text.slice(0, 300)}`),
            );
        } catch (error) {
          reject(error);
        }
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

export function stripeControl(base) {
  const call = caller(base);
  return {
    set: (settings) => call('POST', '/settings', settings),
    /** Every buyer pays at once; the webhooks follow by themselves. */
    sell: async (order) => (await call('POST', '/sales/bulk', order)).sales,
    untilDelivered: (timeoutMs) => call('GET', `/wait?idle=true&timeoutMs=${timeoutMs}`, undefined, timeoutMs + 10_000),
    deliveries: async () => (await call('GET', '/deliveries')).attempts,
  };
}

export function filemakerControl(base, ca) {
  const call = caller(base, ca);
  const records = '/databases/Shop/tables/invoices/records';
  return {
    set: (settings) => call('POST', '/settings', settings),
    addInvoices: (ids) => call('POST', records, { records: ids.map((id) => ({ invoice_id: id, status: 'open' })) }),
    invoices: async () => (await call('GET', records)).records.map(({ fields }) => fields),
    /** @param {string} figures for example `applied=40` or `running=5` */
    until: (figures, timeoutMs) =>
      call('GET', `/wait?${figures}&timeoutMs=${timeoutMs}`, undefined, timeoutMs + 10_000),
    summary: () => call('GET', '/books/summary'),
  };
}
