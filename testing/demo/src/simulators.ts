import { wantedEvents } from '@bridge/test-services';

/** What Stripe's stand-in says about one sale. */
export interface Sale {
  readonly sessionId: string;
  readonly eventIds: readonly string[];
  readonly amountTotal: number;
}

export interface Delivery {
  readonly eventId: string;
  readonly eventType: string;
  readonly status: number | null;
  readonly error: string | null;
}

export interface InvoiceRecord {
  readonly invoice_id: string;
  readonly status: string;
  readonly paid_cents: string | number;
  readonly currency: string;
  readonly ship_name: string;
}

export interface ScriptRun {
  readonly invoiceId: string | null;
  readonly key: string | null;
  readonly effectApplied: boolean;
}

const callTimeoutMs = 120_000;

/** The control side of Stripe's stand-in: what a shop and its customers would do. */
export function stripeControl(url: string) {
  const call = caller(`${url}/_simulator`);
  return {
    sendWebhooksTo: (webhookUrl: string, secret: string) =>
      call('POST', '/endpoints', { url: webhookUrl, secrets: [secret], enabledEvents: wantedEvents }),
    sell: (order: Record<string, unknown>): Promise<Sale> => call('POST', '/sales', order),
    settle: (sessionId: string): Promise<{ eventIds: string[] }> => call('POST', `/sales/${sessionId}/settle`, {}),
    sendAgain: (eventId: string) => call('POST', `/events/${eventId}/resend`, {}),
    untilDelivered: () => call('GET', '/wait?idle=true&timeoutMs=60000'),
    deliveries: async (): Promise<Delivery[]> => (await call<{ attempts: Delivery[] }>('GET', '/deliveries')).attempts,
  };
}

/** The control side of FileMaker's stand-in, and its own books of what really happened there. */
export function filemakerControl(url: string) {
  const call = caller(`${url}/_simulator`);
  const records = '/databases/Shop/tables/invoices/records';
  return {
    addInvoices: (invoices: readonly Record<string, string | number>[]) => call('POST', records, { records: invoices }),
    untilApplied: (applied: number, timeoutMs: number): Promise<{ reached: boolean }> =>
      call('GET', `/wait?applied=${applied}&timeoutMs=${timeoutMs}`),
    invoices: async (): Promise<InvoiceRecord[]> => {
      const { records: found } = await call<{ records: { fields: InvoiceRecord }[] }>('GET', records);
      return found.map(({ fields }) => fields);
    },
    runs: async (): Promise<ScriptRun[]> => (await call<{ runs: ScriptRun[] }>('GET', '/books')).runs,
  };
}

function caller(base: string) {
  return async <Answer>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      signal: AbortSignal.timeout(callTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} of the simulator answered ${response.status}: ${text}`);
    return JSON.parse(text) as Answer;
  };
}
