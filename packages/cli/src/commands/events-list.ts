import { EVENT_SOURCES, EVENT_STATES, listEvents, reasonText } from '@bridge/operations';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { cursorOption, examples, jsonOption, limitOption, momentOption } from '../options';
import { printable, renderTable } from '../table';
import { toneOfState } from '../tone-of-state';

interface Filter {
  state?: (typeof EVENT_STATES)[number];
  type?: string;
  object?: string;
  source?: (typeof EVENT_SOURCES)[number];
  since?: Date;
  until?: Date;
  id?: string;
  before?: string;
  limit: number;
}

async function run({ object, id, ...filter }: Filter): Promise<CommandResult> {
  const { page, timeZone } = await withDatabase(async ({ database, config }) => ({
    page: await listEvents(database, {
      ...filter,
      ...(object === undefined ? {} : { objectId: object }),
      ...(id === undefined ? {} : { eventIdPrefix: id }),
    }),
    timeZone: config.timezone,
  }));
  const { limit: _limit, ...given } = { ...filter, object, id };
  const filtered = Object.values(given).some((value) => value !== undefined);
  return {
    fine: true,
    timeZone,
    json: { events: page.rows, next: page.next },
    text: (output) =>
      page.rows.length === 0
        ? filtered
          ? object === undefined
            ? 'No event fits. Without options all are listed: ./bridge events list'
            : `No event is about ${printable(object)}. What became of a payment, from any of its ids: ./bridge prove ${printable(object)}`
          : 'No event has arrived yet. Whether Stripe can reach the bridge: ./bridge doctor'
        : [
            renderTable(
              page.rows,
              [
                { heading: 'Id', cell: (event) => event.id },
                { heading: 'State', cell: (event) => event.state, tone: (event) => toneOfState(event.state) },
                { heading: 'Event', cell: (event) => event.eventId, optional: true },
                { heading: 'Type', cell: (event) => event.eventType, least: 24, cut: 'start' },
                { heading: 'From', cell: (event) => event.source, optional: true },
                {
                  heading: `Received (${output.timeZone})`,
                  cell: (event) => output.time(event.receivedAt),
                  least: 16,
                },
                { heading: 'Why', cell: (event) => reasonText(event.reason, event.reasonCode), least: 20 },
              ],
              output,
            ),
            ...(page.next === null ? [] : ['', output.dress('quiet', `Older ones: --before ${page.next}`)]),
          ].join('\n'),
  };
}

function eventType(text: string): string {
  if (!/^[a-z0-9_.]+\*?$/.test(text) || text.length > 100)
    throw new InvalidArgumentError(
      'Give a type of Stripe, such as checkout.session.completed, or its beginning and *.',
    );
  return text;
}

export function addEventsList(events: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  events
    .command('list')
    .summary('what arrived, the newest first')
    .description(
      'The delivery log: what arrived from Stripe, the newest first. All that is given must fit. Never shows bodies or customer data.',
    )
    .addOption(new Option('--state <state>', 'only events in this state').choices(EVENT_STATES))
    .addOption(new Option('--type <type>', 'of this type; a beginning ends with *').argParser(eventType))
    .option('--object <id>', 'about this object at Stripe: a Checkout Session, PaymentIntent, refund, …')
    .addOption(new Option('--source <source>', 'how it came here').choices(EVENT_SOURCES))
    .addOption(momentOption('--since <moment>', 'arrived at or after'))
    .addOption(momentOption('--until <moment>', 'arrived before'))
    .option('--id <beginning>', 'whose id at Stripe begins so: evt_1Q…')
    .addOption(cursorOption())
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge events list',
        './bridge events list --state parked --limit 100',
        './bridge events list --type "charge.dispute.*" --since 2026-11-01',
        './bridge events list --object cs_live_a1 --json',
      ),
    )
    .action((filter: Filter) => report(() => run(filter)));
}
