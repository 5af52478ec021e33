import type { EventRow } from './bridge-command';
import { alignColumns, money, type Paper } from './paper';
import type { DemoSale } from './sales';
import type { Delivery, InvoiceRecord, ScriptRun } from './simulators';

/** A sale that was made, with all events that Stripe told of it. */
export interface MadeSale {
  readonly sale: DemoSale;
  readonly sessionId: string;
  readonly amountTotal: number;
  readonly eventIds: readonly string[];
}

export interface Outcome {
  readonly made: readonly MadeSale[];
  readonly deliveries: readonly Delivery[];
  readonly events: readonly EventRow[];
  readonly invoices: readonly InvoiceRecord[];
  readonly runs: readonly ScriptRun[];
}

export interface Addresses {
  readonly webhook: string;
  readonly console: string;
  readonly stripe: string;
  readonly filemaker: string;
  readonly metrics: Readonly<Record<string, string>>;
  readonly operator: { readonly name: string; readonly password: string };
}

/** Whether FileMaker holds what Stripe sold: every expected invoice paid in full, by one script run each. */
export function isAsExpected({ made, invoices, runs }: Outcome): boolean {
  return made.every(({ sale, amountTotal }) => {
    if (!sale.reachesFileMaker) return true;
    const invoice = invoices.find(({ invoice_id }) => invoice_id === sale.invoiceId);
    const applied = runs.filter((run) => run.effectApplied && run.invoiceId === sale.invoiceId);
    return invoice?.status === 'paid' && Number(invoice.paid_cents) === amountTotal && applied.length === 1;
  });
}

export function printOutcome(paper: Paper, outcome: Outcome, folderName: string): void {
  paper.say();
  paper.say(paper.strong('What arrived from Stripe'));
  for (const line of alignColumns(eventRows(outcome))) paper.say(`  ${line}`);
  paper.say();
  paper.say(paper.strong('What FileMaker holds now'));
  for (const line of alignColumns(invoiceRows(outcome), [1])) paper.say(`  ${line}`);
  paper.say();
  const paid = outcome.invoices.filter(({ status }) => status === 'paid').length;
  const posts = outcome.deliveries.length;
  const runs = outcome.runs.filter(({ effectApplied }) => effectApplied).length;
  const sentence = `${posts} webhooks, ${paid} invoices paid, ${runs} script runs: each payment exactly once.`;
  const parked = outcome.events.filter(({ state }) => state === 'parked').length;
  paper.say(
    isAsExpected(outcome)
      ? `  ${paper.good('✓')} ${sentence}`
      : `  ${paper.warn('!')} FileMaker does not hold what Stripe sold. The logs are in ${folderName}/logs.`,
  );
  if (parked > 0)
    paper.say(
      `  ${paper.warn('!')} ${parked} ${parked === 1 ? 'payment waits' : 'payments wait'} for a person: the money names no invoice. ./bridge replay gives it one.`,
    );
}

function eventRows({ made, deliveries, events }: Outcome): string[][] {
  const head = ['Event', 'Invoice', 'Sent', 'The bridge'];
  const order = new Map(made.flatMap(({ eventIds }) => eventIds).map((eventId, index) => [eventId, index]));
  const sorted = [...events].sort((a, b) => (order.get(a.eventId) ?? 0) - (order.get(b.eventId) ?? 0));
  const rows = sorted.map(({ eventId, eventType, state, reason }) => {
    const sale = made.find(({ eventIds }) => eventIds.includes(eventId))?.sale;
    const times = deliveries.filter((delivery) => delivery.eventId === eventId).length;
    return [
      eventType,
      sale?.invoiceId ?? 'none',
      times === 2 ? 'twice' : 'once',
      reason ? `${state}: ${reason}` : state,
    ];
  });
  return [head, ...rows];
}

function invoiceRows({ made, invoices }: Outcome): string[][] {
  const head = ['Invoice', 'Paid', 'Status', 'The sale'];
  const rows = made
    .filter(({ sale }) => sale.invoiceId !== null)
    .map(({ sale }) => {
      const record = invoices.find(({ invoice_id }) => invoice_id === sale.invoiceId);
      const amount = record?.currency ? money(Number(record.paid_cents), record.currency) : '';
      return [sale.invoiceId ?? '', amount, record?.status ?? 'missing', sale.shows];
    });
  return [head, ...rows];
}

export function printAddresses(paper: Paper, addresses: Addresses): void {
  const { operator, metrics } = addresses;
  const rows = [
    ['Status page', addresses.console, `log in as ${operator.name} with ${operator.password}`],
    ['Job queues', `${addresses.console}/queues`, 'Bull Board, same login'],
    ['Webhooks', addresses.webhook, 'where Stripe posts'],
    ...Object.entries(metrics).map(([app, url]) => [`Metrics, ${app}`, `${url}/metrics`, '']),
    ['Stripe’s stand-in', `${addresses.stripe}/_simulator/books`, 'what it has sent'],
    ['FileMaker’s stand-in', `${addresses.filemaker}/_simulator/books`, 'what ran there'],
  ];
  paper.say();
  paper.say(paper.strong('Where it all is'));
  for (const line of alignColumns(rows)) paper.say(`  ${line}`);
}

export function printTryNext(paper: Paper, addresses: Addresses, outcome: Outcome, folderName: string): void {
  const invoice = `${addresses.filemaker}/_simulator/databases/Shop/tables/invoices/records`;
  const json = `-H 'Content-Type: application/json'`;
  const invoiceLess = outcome.made.find(({ sale }) => sale.invoiceId === null)?.sessionId;
  const bridge: [string, string[]] = [
    'Ask the bridge, from another shell in this folder:',
    [`. ${folderName}/demo.env`, './bridge status', './bridge events list', './bridge prove 18637'],
  ];
  const recovery: [string, string[]] = [
    'Give the payment that names no invoice one, in the same shell. Look first, then send what was shown:',
    [
      `curl -X POST ${invoice} -d '{"records":[{"invoice_id":"18642","status":"open"}]}'`,
      `./bridge replay ${invoiceLess} --invoice 18642 --dry-run`,
      `./bridge replay ${invoiceLess} --invoice 18642`,
      './bridge status',
    ],
  ];
  const examples: [string, string[]][] = [
    bridge,
    ...(invoiceLess === undefined ? [] : [recovery]),
    [
      'Sell something more, and look at the invoice in FileMaker:',
      [
        `curl -X POST ${invoice} -d '{"records":[{"invoice_id":"20001","status":"open"}]}'`,
        `curl -X POST ${addresses.stripe}/_simulator/sales ${json} -d '{"invoiceId":"20001"}'`,
        `curl ${invoice}`,
      ],
    ],
    [
      'Take FileMaker away for half a minute, sell, and see that the payment waits and then goes through:',
      [
        `curl -X POST ${invoice} -d '{"records":[{"invoice_id":"20002","status":"open"}]}'`,
        `curl -X POST ${addresses.filemaker}/_simulator/down ${json} -d '{"forMs":30000,"mode":"bad-gateway"}'`,
        `curl -X POST ${addresses.stripe}/_simulator/sales ${json} -d '{"invoiceId":"20002"}'`,
        './bridge status',
        './bridge prove 20002',
      ],
    ],
  ];
  paper.say();
  paper.say(paper.strong('Try next'));
  for (const [sentence, commands] of examples) {
    paper.say(`  ${sentence}`);
    for (const command of commands) paper.say(`    ${paper.quiet(command)}`);
  }
}
