import { EVENT_STATES, listEvents } from '@bridge/operations';
import { type Command, Option } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { examples, jsonOption, limitOption } from '../options';
import { renderTable } from '../table';
import { toneOfState } from '../tone-of-state';

type EventState = (typeof EVENT_STATES)[number];

async function run(filter: { state?: EventState; limit: number }): Promise<CommandResult> {
  const { events, timeZone } = await withDatabase(async ({ database, config }) => ({
    events: await listEvents(database, filter),
    timeZone: config.timezone,
  }));
  return {
    fine: true,
    timeZone,
    json: { events },
    text: (output) =>
      events.length === 0
        ? filter.state === undefined
          ? 'No event has arrived yet.'
          : `No event is ${filter.state}.`
        : renderTable(
            events,
            [
              { heading: 'Id', cell: (event) => event.id },
              { heading: 'State', cell: (event) => event.state, tone: (event) => toneOfState(event.state) },
              { heading: 'Event', cell: (event) => event.eventId, least: 12 },
              { heading: 'Type', cell: (event) => event.eventType, least: 14 },
              { heading: `Received (${output.timeZone})`, cell: (event) => output.time(event.receivedAt) },
              { heading: 'Why', cell: (event) => event.reason ?? event.reasonCode ?? '', least: 16 },
            ],
            output,
          ),
  };
}

export function addEventsList(events: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  events
    .command('list')
    .summary('what arrived, the newest first')
    .description('Lists what arrived from Stripe, the newest first. Never shows bodies or customer data.')
    .addOption(new Option('--state <state>', 'only events in this state').choices(EVENT_STATES))
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge events list',
        './bridge events list --state parked --limit 100',
        './bridge events list --json',
      ),
    )
    .action((filter: { state?: EventState; limit: number }) => report(() => run(filter)));
}
