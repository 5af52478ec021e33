import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createStripeSimulator, type StripeSimulator } from './index';
import type { Json, JsonObject } from './json';

// The simulator's answers are held against the declarations of the stripe package, read as text: required properties
// are there, no others are, and every enum has one of the documented values (the package's open string fallback does
// not count). TypeScript checks the same when the simulator is compiled (wire.ts); this test checks what really goes out.

interface Declared {
  file: DeclarationFile;
  scope: string;
  properties?: Map<string, { optional: boolean; type: string }>;
  alias?: string;
}

interface DeclarationFile {
  declared: Map<string, Declared>;
  imports: Map<string, { path: string; name: string }>;
}

const ROOT = join(dirname(require.resolve('stripe')), 'resources');
const files = new Map<string, DeclarationFile>();

function load(path: string): DeclarationFile {
  const known = files.get(path);
  if (known !== undefined) return known;
  const file: DeclarationFile = { declared: new Map(), imports: new Map() };
  files.set(path, file);
  const text = readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\{\s*\[key: string\]: ([^;]+);\s*\}/g, 'Map<$1>');
  const open: { name: string; kind: string }[] = [];
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    readImport(file, path, line);
    const opening = /^(?:export )?(?:declare )?(interface|namespace|class) (\w+).*\{( ?\})?$/.exec(line);
    const scope = () => open.map(({ name }) => name).join('.');
    if (opening?.[1] !== undefined && opening[2] !== undefined) {
      const outer = scope();
      const name = outer === '' ? opening[2] : `${outer}.${opening[2]}`;
      if (opening[1] === 'interface') file.declared.set(name, { file, scope: outer, properties: new Map() });
      if (opening[3] === undefined) open.push({ name: opening[2], kind: opening[1] });
      continue;
    }
    if (line === '}') open.pop();
    const alias = /^(?:export )?(?:declare )?type (\w+) = (.*);$/.exec(line);
    if (alias?.[1] !== undefined && alias[2] !== undefined) {
      file.declared.set([...open.map(({ name }) => name), alias[1]].join('.'), {
        file,
        scope: scope(),
        alias: alias[2],
      });
    }
    // `interface Metadata { [key: string]: string; }` is kept as the property `_any`.
    const property = /^(\w+)(\?)?: (.*);$/.exec(line.replace(/^\[\w+: string\]/, '_any?'));
    if (property?.[1] !== undefined && property[3] !== undefined && open.at(-1)?.kind === 'interface') {
      const holder = file.declared.get(scope());
      holder?.properties?.set(property[1], { optional: property[2] === '?', type: property[3] });
    }
  }
  return file;
}

function readImport(file: DeclarationFile, path: string, line: string): void {
  const found = /^import \{ (.*) \} from '(.*)';$/.exec(line);
  for (const part of found?.[1]?.split(', ') ?? []) {
    const [name = '', local = name] = part.split(' as ');
    file.imports.set(local, { path: join(dirname(path), (found?.[2] ?? '').replace(/\.js$/, '.d.ts')), name });
  }
}

function resolve(name: string, file: DeclarationFile, scope: string): Declared | undefined {
  for (let parts = scope === '' ? [] : scope.split('.'); ; parts = parts.slice(0, -1)) {
    const found = file.declared.get([...parts, name].join('.'));
    if (found !== undefined) return found;
    if (parts.length === 0) break;
  }
  const imported = file.imports.get(name);
  return imported !== undefined && existsSync(imported.path)
    ? resolve(imported.name, load(imported.path), '')
    : undefined;
}

/** Splits at the top level only: `A | Array<B | C>` has two parts. */
function split(type: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const letter of type) {
    if (letter === '<') depth += 1;
    if (letter === '>') depth -= 1;
    if (letter === separator && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim());
}

/** What is wrong with the value; empty when it fits. */
function faults(value: Json, type: string, file: DeclarationFile, scope: string, at: string): string[] {
  const members = split(type, '|');
  if (members.length > 1) {
    const closed = members.some((member) => member.startsWith("'"))
      ? members.filter((m) => m !== 'OtherString')
      : members;
    const each = closed.map((member) => faults(value, member, file, scope, at));
    if (each.some((found) => found.length === 0)) return [];
    return (
      each.toSorted(
        (left, right) => Number(left[0]?.startsWith(`${at}:`)) - Number(right[0]?.startsWith(`${at}:`)),
      )[0] ?? []
    );
  }
  const wrong = [`${at}: ${JSON.stringify(value)?.slice(0, 60)} is not ${type}`];
  const generic = /^(Array|ApiList|Map|Partial)<(.*)>$/.exec(type);
  if (generic?.[2] !== undefined) {
    const inner = generic[2];
    if (generic[1] === 'Array') {
      return Array.isArray(value) ? value.flatMap((item, i) => faults(item, inner, file, scope, `${at}[${i}]`)) : wrong;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong;
    if (generic[1] === 'Map') {
      return Object.entries(value).flatMap(([key, item]) => faults(item, inner, file, scope, `${at}.${key}`));
    }
    const missing = ['object', 'data', 'has_more', 'url'].filter((name) => value[name] === undefined);
    if (missing.length > 0 || value.object !== 'list') return wrong;
    return faults(value.data ?? null, `Array<${inner}>`, file, scope, `${at}.data`);
  }
  if (type.startsWith("'")) return value === type.slice(1, -1) ? [] : wrong;
  if (type === 'null') return value === null ? [] : wrong;
  if (type === 'true') return value === true ? [] : wrong;
  if (type === 'Decimal') return typeof value === 'string' ? [] : wrong;
  if (type === 'void') return wrong;
  if (['string', 'number', 'boolean'].includes(type)) return typeof value === type ? [] : wrong;
  const declared = resolve(type, file, scope);
  if (declared?.alias !== undefined) return faults(value, declared.alias, declared.file, declared.scope, at);
  if (declared?.properties === undefined || typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong;
  return objectFaults(value, type, { ...declared, properties: declared.properties }, at);
}

function objectFaults(
  value: JsonObject,
  type: string,
  declared: Declared & Required<Pick<Declared, 'properties'>>,
  at: string,
): string[] {
  const anyName = declared.properties.get('_any');
  if (anyName !== undefined) return faults(value, `Map<${anyName.type}>`, declared.file, declared.scope, at);
  const strangers = Object.keys(value).filter((name) => !declared.properties.has(name));
  const scope = declared.scope === '' ? '' : declared.scope;
  const found = strangers.map((name) => `${at}.${name} is not declared in ${type}`);
  for (const [name, property] of declared.properties) {
    const inner = value[name];
    if (inner === undefined) {
      if (!property.optional) found.push(`${at}.${name} is missing`);
    } else {
      found.push(...faults(inner, property.type, declared.file, scope, `${at}.${name}`));
    }
  }
  return found;
}

function check(value: Json, name: string, path: string): string[] {
  const file = load(join(ROOT, path));
  return faults(value, name, file, '', name);
}

const WHERE: Record<string, [name: string, path: string]> = {
  'checkout.session': ['Session', 'Checkout/Sessions.d.ts'],
  item: ['LineItem', 'LineItems.d.ts'],
  payment_intent: ['PaymentIntent', 'PaymentIntents.d.ts'],
  charge: ['Charge', 'Charges.d.ts'],
  refund: ['Refund', 'Refunds.d.ts'],
  dispute: ['Dispute', 'Disputes.d.ts'],
  product: ['Product | DeletedProduct', 'Products.d.ts'],
  price: ['Price', 'Prices.d.ts'],
  customer: ['Customer', 'Customers.d.ts'],
  payment_link: ['PaymentLink', 'PaymentLinks.d.ts'],
  shipping_rate: ['ShippingRate', 'ShippingRates.d.ts'],
  account: ['Account', 'Accounts.d.ts'],
  webhook_endpoint: ['WebhookEndpoint', 'WebhookEndpoints.d.ts'],
};

async function setup(): Promise<{ simulator: StripeSimulator; get: (path: string) => Promise<JsonObject> }> {
  const simulator = createStripeSimulator({ seed: 7 });
  const { url } = await simulator.listen();
  return {
    simulator,
    get: async (path) => {
      const answer = await fetch(`${url}${path}`, { headers: { Authorization: 'Bearer sk_test_simulator' } });
      return (await answer.json()) as JsonObject;
    },
  };
}

/** Sales of every kind and in every state, with refunds and disputes of every status. */
function fillShop({ control }: StripeSimulator): void {
  control.createBulkSales({
    count: 40,
    delayedFraction: 0.2,
    deletedProductFraction: 0.2,
    missingMetadataFraction: 0.2,
  });
  const lines = [{ name: 'Donation', unitAmount: 700, customUnitAmount: true }];
  control.createSale({ lines, customer: true, paymentLink: true, shipping: { amount: 500, tax: 40 } });
  control.createSale({ mode: 'subscription' });
  control.createSale({ mode: 'setup' });
  control.createSale({ open: true });
  control.expireSale(control.createSale({ open: true }).sessionId);
  control.createSale({ lines: [{ name: 'Gift', unitAmount: 100, discount: 100 }] });
  control.settleSale(control.createSale({ delayed: true }).sessionId);
  control.failSale(control.createSale({ delayed: true }).sessionId);
  control.createSale({ manualCapture: true });
  control.captureSale(control.createSale({ manualCapture: true }).sessionId);
  for (const status of ['pending', 'requires_action', 'succeeded', 'failed', 'canceled'] as const) {
    control.refundSale(control.createSale().sessionId, { amount: 100, status });
  }
  control.failRefund(
    control.refundSale(control.createSale({ delayed: false }).sessionId, { status: 'pending' }).refundId,
  );
  for (const status of ['needs_response', 'warning_needs_response', 'under_review'] as const) {
    control.disputeSale(control.createSale().sessionId, { status });
  }
  for (const status of ['won', 'lost', 'warning_closed', 'prevented'] as const) {
    const { sessionId } = control.createSale();
    control.disputeSale(sessionId);
    control.closeDispute(sessionId, { status });
  }
  control.addEndpoint({ url: 'http://127.0.0.1:9/nobody' });
}

function checkAll(objects: Json[]): string[] {
  return objects.flatMap((object) => {
    const kind = (object as JsonObject).object;
    const where = WHERE[String(kind)];
    return where === undefined ? [`no declaration for ${String(kind)}`] : check(object, ...where);
  });
}

describe("answers against the stripe package's own declarations", () => {
  let shop: Awaited<ReturnType<typeof setup>>;
  beforeAll(async () => {
    shop = await setup();
    fillShop(shop.simulator);
  });
  afterAll(() => shop.simulator.close());

  it.each([
    '/v1/checkout/sessions',
    '/v1/checkout/sessions?expand[]=data.line_items&expand[]=data.payment_intent.latest_charge&expand[]=data.customer',
    '/v1/checkout/sessions?expand[]=data.shipping_cost.shipping_rate&expand[]=data.total_details.breakdown&expand[]=data.payment_link',
    '/v1/payment_intents?expand[]=data.latest_charge.refunds',
    '/v1/charges?expand[]=data.refunds&expand[]=data.payment_intent',
    '/v1/refunds?expand[]=data.charge&expand[]=data.payment_intent',
    '/v1/disputes?expand[]=data.charge&expand[]=data.payment_intent',
    '/v1/products',
    '/v1/prices?expand[]=data.product',
    '/v1/customers',
    '/v1/payment_links',
    '/v1/webhook_endpoints',
  ])('every object of %s has the declared shape and documented enum values', async (path) => {
    const list = await shop.get(`${path}${path.includes('?') ? '&' : '?'}limit=100`);
    expect(list.object).toBe('list');
    const objects = list.data as Json[];
    expect(objects.length).toBeGreaterThan(0);
    expect(checkAll(objects)).toEqual([]);
  });

  it('line items with expanded prices, products, discounts and taxes have the declared shape', async () => {
    const sessions = (await shop.get('/v1/checkout/sessions?limit=100')).data as JsonObject[];
    const lines: Json[] = [];
    for (const session of sessions) {
      const path = `/v1/checkout/sessions/${String(session.id)}/line_items`;
      const query = 'limit=100&expand[]=data.price.product&expand[]=data.discounts&expand[]=data.taxes';
      lines.push(...((await shop.get(`${path}?${query}`)).data as Json[]));
    }
    expect(lines.length).toBeGreaterThan(100);
    expect(checkAll(lines)).toEqual([]);
  });

  it('every event has the declared envelope, a documented type and a declared object', async () => {
    const events = (await shop.get('/v1/events?limit=100')).data as JsonObject[];
    const types = new Set(events.map((event) => event.type));
    expect(types.size).toBeGreaterThan(8);
    expect(events.flatMap((event) => check(event, 'EventBase', 'Events.d.ts').filter(isNotPayload))).toEqual([]);
    expect(checkAll(events.map((event) => (event.data as JsonObject).object ?? null))).toEqual([]);
  });

  it('the account has the declared shape', async () => {
    expect(checkAll([await shop.get('/v1/account')])).toEqual([]);
  });

  // The checker itself must be able to fail, or everything above is worth nothing.
  it('a value outside the enum, a missing and an unknown property are found', async () => {
    const [session] = (await shop.get('/v1/checkout/sessions?limit=1')).data as JsonObject[];
    const { url: _url, ...rest } = session ?? {};
    expect(checkAll([{ ...rest, status: 'finished', payed: true }])).toEqual([
      'Session.payed is not declared in Session',
      expect.stringMatching(/^Session\.status: "finished" is not /),
      'Session.url is missing',
    ]);
  });

  it('every property the declarations require is known to the checker', () => {
    const file = load(join(ROOT, 'Checkout/Sessions.d.ts'));
    const required = [...(file.declared.get('Session')?.properties ?? [])].filter(([, { optional }]) => !optional);
    expect(required.map(([name]) => name)).toEqual(
      expect.arrayContaining(['id', 'amount_total', 'payment_status', 'url']),
    );
    expect(required.length).toBeGreaterThan(50);
  });
});

/** `data` differs by event type and is checked by its object's own declaration. */
function isNotPayload(fault: string): boolean {
  return !fault.startsWith('EventBase.data');
}
