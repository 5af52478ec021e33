import { isUtf8 } from 'node:buffer';
import {
  findRunbook,
  nextForParkedEvent,
  readEventBody,
  reasonText,
  type ShownEvent,
  showEvent,
} from '@bridge/operations';
import type { Command } from 'commander';
import { renderAudit } from '../audit-table';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { printable } from '../table';
import { toneOfState } from '../tone-of-state';

function describe({ event, audit }: ShownEvent, output: Output): string {
  const time = (date: Date | null): string | null => (date === null ? null : output.time(date));
  const waits = event.state === 'parked' || event.state === 'ignored';
  const again = `Read it again with: ${output.dress('command', `./bridge events reprocess ${event.id} --why "…"`)}`;
  // What status, prove and the letter say, unless they lead here.
  const next = event.state === 'parked' ? nextForParkedEvent(event) : null;
  const step =
    next === null || next.startsWith('./bridge events show') ? again : `Next: ${output.dress('command', next)}`;
  const page = event.state === 'parked' && event.reasonCode !== null ? findRunbook(event.reasonCode) : undefined;
  const steps = [
    ...(page === undefined ? [] : [`What it means: ${output.dress('command', `./bridge runbook ${page.name}`)}`]),
    ...(waits ? [step] : []),
  ].join('\n');
  return [
    output.dress('heading', printable(event.eventType)),
    '',
    renderFacts(
      [
        ['State', event.state, toneOfState(event.state)],
        ['Why', reasonText(event.reason, event.reasonCode)],
        ['Code', event.reasonCode],
        ['Number', event.id],
        ['Event', event.eventId],
        ['About', event.objectId],
        ['Account', event.account],
        ['Comes from', `${event.source}, ${event.livemode ? 'live' : 'test'} mode`],
        ['API version', event.apiVersion],
        ['Made at Stripe', time(event.eventCreatedAt)],
        ['Received', time(event.receivedAt)],
        ['Deliveries', `${event.deliveries}, the last ${output.time(event.lastDeliveryAt)}`],
        ['Started', `${event.starts} ${event.starts === 1 ? 'time' : 'times'}`],
        ['Next start', event.state === 'received' ? output.time(event.dueAt) : null],
        ['Finished', time(event.finishedAt)],
        ['Body', event.bodyBytes === null ? 'erased' : `${event.bodyBytes} bytes, shown with --body`],
      ],
      output,
    ),
    ...[renderAudit(audit, output), steps].filter((part) => part !== '').flatMap((part) => ['', part]),
    '',
    output.dress('quiet', `Times in ${output.timeZone}.`),
  ].join('\n');
}

/** Line by line, so that what others wrote cannot steer the terminal. */
const bodyText = (body: Buffer): string => body.toString('utf8').split('\n').map(printableLine).join('\n');
const printableLine = (line: string): string => line.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');

async function run(idOrEventId: string, withBody: boolean): Promise<CommandResult> {
  const { shown, body, timeZone } = await withDatabase(async ({ database, config }) => {
    const found = await showEvent(database, idOrEventId);
    return {
      shown: found,
      body: withBody && found !== undefined ? await readEventBody(database, found.event.id) : undefined,
      timeZone: config.timezone,
    };
  });
  if (shown === undefined) throw new CommandError('EVENT_NOT_FOUND', `There is no event ${idOrEventId}.`);
  if (!withBody) return { fine: true, timeZone, json: shown, text: (output) => describe(shown, output) };
  if (body === null || body === undefined)
    throw new CommandError('EVENT_BODY_ERASED', `The body of event ${shown.event.eventId} is erased.`);
  const encoding = isUtf8(body) ? 'utf8' : 'base64';
  return {
    fine: true,
    timeZone,
    json: { ...shown, body: { encoding, text: body.toString(encoding) } },
    text: () => bodyText(body),
    bytes: body,
  };
}

export function addEventsShow(events: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  events
    .command('show')
    .argument('<id>', 'number of an event, or its id at Stripe')
    .summary('one event: what became of it')
    .description(
      'Shows one event and what became of it. With --body it prints the body alone, byte for byte when it is piped; bodies hold customer data.',
    )
    .option('--body', 'print the body as it came')
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge events show 34', './bridge events show evt_1 --body > event.json'))
    .action((id: string, { body }: { body?: boolean }) => report(() => run(id, body === true)));
}
