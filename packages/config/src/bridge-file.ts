import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { ConfigurationFault } from './configuration-error';
import { readSchedule } from './resolve-schedules';

/** As they stand in the file; Monday is the first. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const name = z.string().trim().min(1).max(200);

const probe = z
  .strictObject({
    layout: name.describe('Layout that is searched.'),
    field: name.describe('Field of that layout that is compared exactly.'),
    match: z
      .enum(['checkout_session_id', 'payment_intent_id', 'invoice_id'])
      .describe(
        'What the field holds. Only the id of the Checkout Session or PaymentIntent can prove a run; an invoice id can only park.',
      ),
  })
  .describe("Where to look whether a script without the kit's contract has run.");

const fact = {
  layout: name.optional().describe('Layout in whose context the script runs. Default: FILEMAKER_LAYOUT.'),
  contract: z
    .enum(['kit', 'plain'])
    .optional()
    .describe("kit: the script echoes the key and keeps the kit's log. Default: kit when FILEMAKER_LOG_LAYOUT is set."),
  probe: probe.optional(),
};

const paidFact = z.strictObject({
  ...fact,
  script: name.optional().describe('Script that is run. Default: FILEMAKER_SCRIPT.'),
});
const otherFact = z.strictObject({ ...fact, script: name.describe('Script that is run.') });

const shippingItem = z.strictObject({
  code: z.string().max(200).default('').describe('`code` of the last item, the shipping cost.'),
  name: z.string().max(200).optional().describe("`name` of that item. Default: the shipping rate's own display name."),
  catalog_number: z.string().max(200).default('').describe('`catalog_number` of that item.'),
});

const payload = z.strictObject({
  fields: z
    .enum(['article', 'full'])
    .default('full')
    .describe('article: only the fields the older script knows; full: with key, ids, currency and amounts.'),
  unit_price: z
    .enum(['unit', 'line_total'])
    .default('unit')
    .describe('What unit_price_cents holds. line_total is for scripts that rely on the older shape.'),
  shipping_item: shippingItem.prefault({}).describe('How the shipping cost stands among the items.'),
});

const invoices = z.strictObject({
  facts: z
    .strictObject({
      paid: paidFact.prefault({}).describe('A Checkout Session is paid.'),
      refunded: otherFact.optional().describe('A payment was refunded, in full or in part. Unset: recorded only.'),
      disputed: otherFact.optional().describe('A payment is disputed. Unset: recorded only.'),
      payment_failed: otherFact.optional().describe('A delayed payment failed. Unset: recorded only.'),
    })
    .prefault({}),
  payload: payload.prefault({}),
  instalments: z
    .enum(['allow', 'park'])
    .default('park')
    .describe('A second payment for an invoice that already has one: run it as well, or park it for a person.'),
});

const timeOfDay = (pattern: RegExp, message: string) => z.string().regex(pattern, message);

const maintenance = z.strictObject({
  scope: z
    .string()
    .regex(/^(filemaker|stripe|(script|flow) \S.{0,99})$/, 'must be filemaker, stripe, script NAME or flow NAME')
    .describe('What stands still: filemaker, stripe, script NAME or flow NAME.'),
  days: z
    .array(z.enum(WEEKDAYS))
    .min(1)
    .default([...WEEKDAYS])
    .describe('Days on which it begins. Default: every day.'),
  from: timeOfDay(/^([01]?\d|2[0-3]):[0-5]\d$/, 'must be a time from 00:00 to 23:59').describe(
    'When it begins, by the clock of TIMEZONE.',
  ),
  to: timeOfDay(/^(([01]?\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a time from 00:00 to 24:00').describe(
    'When it ends; on the next day when that is not later than `from`.',
  ),
  why: z.string().trim().min(1).max(200).default('maintenance').describe('Shown to people while it lasts.'),
});

/** The YAML file that BRIDGE_CONFIG names. `z.toJSONSchema(bridgeFileSchema, { io: 'input' })` describes it to editors. */
export const bridgeFileSchema = z.strictObject({
  invoices: invoices.prefault({}),
  schedules: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]{0,99}$/, 'must be the name of a schedule, such as reconcile-invoices-nightly'),
      z.string().refine((text) => readSchedule(text) !== undefined, {
        message: 'must be five cron fields such as "17 3 * * *", "every 10 minutes", "every 2 hours", or "off"',
      }),
    )
    .default({})
    .describe(
      'When reconciliation looks, by the name of its schedule: reconcile-invoices-pending, reconcile-invoices-recent, reconcile-invoices-nightly, reconcile-invoices-reversals. Five cron fields by the clock of TIMEZONE, "every 10 minutes", "every 2 hours", or "off".',
    ),
  windows: z
    .array(maintenance)
    .max(100)
    .default([])
    .describe(
      'Spans of time, each week or each day, in which work stands still as if it were paused. Jobs wait; none is lost.',
    ),
});

/** The file with all defaults filled in. */
export type BridgeFile = z.output<typeof bridgeFileSchema>;

/** Parses the file's text. A fault names the path of the key and never repeats a value. */
export function parseBridgeFile(yamlText: string): { file: BridgeFile } | { faults: ConfigurationFault[] } {
  const document = parseDocument(yamlText, { prettyErrors: false, uniqueKeys: true });
  const fault = (message: string, path?: string): ConfigurationFault => ({
    variable: path === undefined || path === '' ? 'BRIDGE_CONFIG' : `BRIDGE_CONFIG: ${path}`,
    message,
  });
  if (document.errors.length > 0) {
    return {
      faults: document.errors.map((error) => {
        const line = yamlText.slice(0, error.pos[0]).split('\n').length;
        return fault(`is not valid YAML at line ${line} (${error.code})`);
      }),
    };
  }
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 10 }) ?? {};
  } catch (error) {
    // The yaml library throws a ReferenceError when aliases multiply beyond the limit.
    if (error instanceof ReferenceError) return { faults: [fault('uses too many aliases')] };
    throw error;
  }
  const parsed = bridgeFileSchema.safeParse(content);
  if (parsed.success) return { file: parsed.data };
  return {
    faults: parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => fault('is not a known key', [...issue.path, key].join('.')))
        : [fault(issue.message, issue.path.join('.'))],
    ),
  };
}
