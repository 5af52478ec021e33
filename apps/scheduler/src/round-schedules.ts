import type { Config } from '@bridge/config';
import type { Schedule } from '@bridge/jobs';

/** Webhooks bring the events; so often it is looked what they missed. */
const MISSED_EVERY_MS = 300_000;
const CLOSE_EVERY_MS = 60_000;

/** What comes back by the clock and belongs to no flow. Ids are names in metrics. */
export function roundSchedules({
  stripe,
  mode,
  timezone: timeZone,
}: Pick<Config, 'mode' | 'timezone'> & { stripe: Pick<Config['stripe'], 'delivery' | 'pullSeconds'> }): Schedule[] {
  const round = (
    task: 'fetch-events' | 'compare-observed' | 'erase-bodies' | 'close-day',
    when: Schedule['when'],
  ): Schedule => ({
    id: task,
    queue: 'rounds',
    when,
    data: { task },
  });
  return [
    round('fetch-events', { everyMs: stripe.delivery === 'pull' ? stripe.pullSeconds * 1_000 : MISSED_EVERY_MS }),
    // Often, since it also sends the mails that are owed; a round without work is two small questions to PostgreSQL.
    round('close-day', { everyMs: CLOSE_EVERY_MS }),
    round('erase-bodies', { pattern: '17 3 * * *', timeZone }),
    ...(mode === 'observe' ? [round('compare-observed', { pattern: '47 2 * * *', timeZone })] : []),
  ];
}
