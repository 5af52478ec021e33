import type { Answer } from '../contract-case';
import type { Variables } from '../placeholders';
import type { Pseudonyms } from '../redaction';
import { isObject } from '../wants';

const HEADERS = [
  'content-type',
  'request-id',
  'stripe-version',
  'idempotency-key',
  'idempotent-replayed',
  'stripe-should-retry',
  'stripe-rate-limited-reason',
  'retry-after',
];
/** Texts under these names are Stripe's own words: kinds, states, codes, addresses of the API. */
const PLAIN = [
  'object',
  'status',
  'payment_status',
  'mode',
  'type',
  'code',
  'param',
  'decline_code',
  'currency',
  'url',
  'api_version',
  'reason',
  'ui_mode',
  'tax_behavior',
  'billing_scheme',
  'capture_method',
  'has_more',
  'enabled_events',
  'idempotent-replayed',
];
/** Below these everything is about a person or a payment method. */
const PRIVATE = [
  'customer_details',
  'billing_details',
  'payment_method_details',
  'shipping_details',
  'shipping',
  'collected_information',
  'metadata',
  'custom_fields',
  'outcome',
  'previous_attributes',
];
const ID = /^([a-z]+(?:_test|_live)?)_[A-Za-z0-9]+$/;
const API_ADDRESS = /^\/v\d\//;

/**
 * Keeps of an answer what the suite knows to be harmless: structure, kinds, states, codes, amounts, its own objects.
 * Ids get stand-ins with their prefix, every other text a plain one; what is about people loses its figures, too.
 */
export function redactStripe(answer: Answer, pseudonyms: Pseudonyms, { run }: Variables): Answer {
  const redaction = new Redaction(pseudonyms, String(run));
  const { headers, json, text } = answer;
  return {
    ...answer,
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        HEADERS.includes(name) ? [[name, name === 'request-id' ? redaction.text('', value) : value]] : [],
      ),
    ),
    json: json === undefined ? undefined : redaction.value('', json),
    text: text === '' ? '' : `(${headers['content-type'] ?? 'no type'}, ${text.length} characters)`,
  };
}

class Redaction {
  constructor(
    private readonly pseudonyms: Pseudonyms,
    private readonly run: string,
  ) {}

  value(name: string, value: unknown, isPrivate = false): unknown {
    const inner = isPrivate || PRIVATE.includes(name);
    if (Array.isArray(value)) return value.map((item) => this.value(name, item, inner));
    if (isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, one]) => [
          name === 'metadata' ? this.text('', key) : key,
          this.value(key, one, inner),
        ]),
      );
    if (typeof value === 'string') return this.text(inner ? '' : name, value);
    return inner && typeof value === 'number' ? 0 : value;
  }

  text(name: string, value: string): string {
    const known = this.pseudonyms.find(value);
    if (known !== undefined) return known;
    if (value === '' || value.startsWith(this.run)) return value;
    if (name === 'url' ? API_ADDRESS.test(value) : PLAIN.includes(name)) return value;
    const id = ID.exec(value);
    // The stand-in of an id begins as the id does and has no second underscore, as ids have none.
    return id === null ? this.pseudonyms.of('text', value) : this.pseudonyms.of(`${id[1]}_redacted`, value);
  }
}
