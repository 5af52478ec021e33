import { createFileMakerSimulator, type FileMakerSimulator } from './filemaker-simulator';
import type { SimulatorSettingsPatch } from './settings';

export interface TestAnswer {
  readonly status: number;
  readonly code: string;
  readonly response: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly headers: Headers;
}

export interface KitAnswer {
  readonly ok: boolean;
  readonly code: number | string;
  readonly key: string | null;
  readonly ran: boolean;
  readonly duplicate: boolean;
  readonly logId: string;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Speaks plain HTTP with one simulator, for the simulator's own tests. */
export class TestCaller {
  readonly simulator: FileMakerSimulator;
  readonly url: string;

  private constructor(simulator: FileMakerSimulator, url: string) {
    this.simulator = simulator;
    this.url = url;
  }

  static async start(settings: SimulatorSettingsPatch = {}): Promise<TestCaller> {
    const simulator = createFileMakerSimulator({ loginMs: 0, scriptMs: 0, ...settings });
    const { url } = await simulator.listen();
    return new TestCaller(simulator, url);
  }

  stop(): Promise<void> {
    return this.simulator.close();
  }

  async request(
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: string; signal?: AbortSignal } = {},
  ): Promise<TestAnswer> {
    const answer = await fetch(`${this.url}${path}`, { method, ...init });
    const text = await answer.text();
    const parsed = answer.headers.get('content-type')?.includes('json') === true ? JSON.parse(text) : {};
    return {
      status: answer.status,
      code: parsed.messages?.[0]?.code ?? '',
      response: parsed.response ?? {},
      text,
      headers: answer.headers,
    };
  }

  logIn(database = 'Shop', password = 'bridge'): Promise<TestAnswer> {
    const credentials = Buffer.from(`bridge:${password}`).toString('base64');
    const headers = { ...JSON_TYPE, Authorization: `Basic ${credentials}` };
    return this.request('POST', `/fmi/data/v2/databases/${database}/sessions`, { headers, body: '{}' });
  }

  async token(): Promise<string> {
    const { response } = await this.logIn();
    return String(response.token);
  }

  call(token: string, method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<TestAnswer> {
    const headers = { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : JSON_TYPE) };
    const init = {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    return this.request(method, `/fmi/data/v2/databases/Shop${path}`, init);
  }

  script(
    token: string,
    parameter: string,
    name = 'STRIPE_PAYMENTLINK_SUCCESS',
    signal?: AbortSignal,
  ): Promise<TestAnswer> {
    const query = `script.param=${encodeURIComponent(parameter)}`;
    return this.call(token, 'GET', `/layouts/web_invoices/script/${name}?${query}`, undefined, signal);
  }

  find(token: string, layout: string, body: unknown): Promise<TestAnswer> {
    return this.call(token, 'POST', `/layouts/${layout}/_find`, body);
  }

  validate(token: string): Promise<TestAnswer> {
    return this.request('GET', '/fmi/data/v2/validateSession', { headers: { Authorization: `Bearer ${token}` } });
  }

  logOut(token: string): Promise<TestAnswer> {
    return this.request('DELETE', `/fmi/data/v2/databases/Shop/sessions/${token}`);
  }

  async control<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.url}/_simulator${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: JSON_TYPE }),
    });
    return (await answer.json()) as T;
  }

  async addInvoices(...ids: string[]): Promise<void> {
    const records = ids.map((invoice_id) => ({ invoice_id, status: 'open', total_cents: 18_000 }));
    await this.control('POST', '/databases/Shop/tables/invoices/records', { records });
  }

  async rows(table: string): Promise<{ recordId: string; modId: number; fields: Record<string, string> }[]> {
    const { records } = await this.control<{
      records: { recordId: string; modId: number; fields: Record<string, string> }[];
    }>('GET', `/databases/Shop/tables/${table}/records`);
    return records;
  }

  summary(): ReturnType<FileMakerSimulator['books']['summary']> {
    return this.simulator.books.summary();
  }
}

/** A payment payload in the bridge's form, small. */
export function paymentOf(
  invoiceId: string,
  key = `invoice-paid:cs_${invoiceId}`,
  more: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    invoice_id: invoiceId,
    email: 'a@example.com',
    invoicetotal_cents: 18_000,
    items: [],
    idempotency_key: key,
    ...more,
  });
}

export function kitAnswer(answer: TestAnswer): KitAnswer {
  return JSON.parse(String(answer.response.scriptResult)) as KitAnswer;
}
