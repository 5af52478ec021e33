/**
 * What no log line may show, wherever in a line it stands. The one list: names are compared without case, `-` and `_`,
 * so that `Authorization`, `api_key` and `apiKey` all count.
 */
const secretNames = new Set(
  [
    'authorization',
    'cookie',
    'set-cookie',
    'stripe-signature',
    'signature',
    'x-fm-data-access-token',
    'password',
    'passwordHash',
    'secret',
    'secrets',
    'clientSecret',
    'webhookSecrets',
    'token',
    'tokens',
    'sessionToken',
    'sealedToken',
    'accessToken',
    'apiKey',
    'apiKeys',
    'tokenKey',
    'tokenKeys',
    'databaseUrl',
    'redisUrl',
    'connectionString',
    'smtpUrl',
    'slackWebhookUrl',
    'alertWebhookUrl',
    'heartbeatUrl',
    'admin',
    // What customers are called and where they live: payloads and bodies are never logged, only their ids.
    'email',
    'customerEmail',
    'receiptEmail',
    'receiptUrl',
    'phone',
    'address',
    'shipping',
    'customerDetails',
    'billingDetails',
    'body',
    'rawBody',
    'payload',
    'scriptParameter',
    'script.param',
    'fieldData',
  ].map(plainName),
);

const redacted = '[redacted]';
const depthMax = 8;
const elementsMax = 100;

function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, '');
}

/** Credentials that stand inside a text, for example in the message of a library's error. */
const secretTexts: readonly [RegExp, string][] = [
  [/\b((?:sk|rk|pk)_(?:live|test)_)[A-Za-z0-9_]+/g, `$1${redacted}`],
  [/\bwhsec_[A-Za-z0-9+/=_-]+/g, `whsec_${redacted}`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{4,}/gi, `$1 ${redacted}`],
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"'<>]*@/gi, `$1${redacted}@`],
  [/\bhttps:\/\/hooks\.slack\.com\/[^\s"'<>]+/gi, `https://hooks.slack.com/${redacted}`],
  [/\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b/g, redacted],
];

/** Masks keys, tokens, credentials in addresses, and e-mail addresses inside a text. */
export function redactText(text: string): string {
  return secretTexts.reduce((masked, [pattern, replacement]) => masked.replace(pattern, replacement), text);
}

function isError(value: object): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

/** The fields of an error that help and that are ours or the peer's short facts; everything else may hold customer data. */
const errorFields = ['code', 'errno', 'syscall', 'statusCode', 'stage', 'again', 'type', 'requestId', 'constraint'];

function redactError(error: Error, depth: number): Record<string, unknown> {
  // drizzle writes the statement and all its values, so whole webhook bodies, into the message of a failed query.
  const message = 'params' in error && 'query' in error ? 'a query failed' : redactText(error.message);
  const fields: Record<string, unknown> = { name: error.name, message };
  for (const field of errorFields) {
    const value: unknown = Reflect.get(error, field);
    if (typeof value === 'number' || typeof value === 'boolean') fields[field] = value;
    if (typeof value === 'string') fields[field] = redactText(value);
  }
  // Only the frames: the first lines of a stack repeat the message.
  if (typeof error.stack === 'string')
    fields.stack = error.stack.split('\n').filter(isFrame).map(redactText).join('\n');
  if (error.cause !== undefined && depth < depthMax) fields.cause = redactValue(error.cause, depth + 1);
  return fields;
}

function isFrame(line: string): boolean {
  return /^\s+at .+(:\d+:\d+\)?|\(<anonymous>\)|\(native\))$/.test(line);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= depthMax) return '[too deep]';
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (isError(value)) return redactError(value, depth);
  if (value instanceof URL) return redactText(value.href);
  if (Array.isArray(value)) return value.slice(0, elementsMax).map((element) => redactValue(element, depth + 1));
  if ('toJSON' in value && typeof value.toJSON === 'function') return redactValue(value.toJSON(), depth + 1);
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return redactFields(entries, depth);
}

function redactFields(entries: readonly [unknown, unknown][], depth: number): Record<string, unknown> {
  return Object.fromEntries(
    entries
      .slice(0, elementsMax)
      .map(([name, value]) => [
        String(name),
        secretNames.has(plainName(String(name))) && value !== undefined && value !== null
          ? redacted
          : redactValue(value, depth + 1),
      ]),
  );
}

/** A copy of the fields of a log line without secrets and customer data, safe to print. */
export function redactLine(fields: object): Record<string, unknown> {
  return redactFields(Object.entries(fields), 0);
}
