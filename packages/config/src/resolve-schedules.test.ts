import { readSchedule } from './resolve-schedules';

test.each([
  ['off', 'off'],
  ['every 5 minutes', { everyMs: 300_000 }],
  ['every 1 hour', { everyMs: 3_600_000 }],
  ['17 3 * * *', { cron: '17 3 * * *' }],
  ['*/10 8-18 * * 1-5', { cron: '*/10 8-18 * * 1-5' }],
  ['0,30 0 1,15 12 7', { cron: '0,30 0 1,15 12 7' }],
])('%s is read', (text, schedule) => {
  expect(readSchedule(text)).toEqual(schedule);
});

test.each([
  'never',
  'every 0 minutes',
  'every day',
  '60 3 * * *',
  '0 24 * * *',
  '0 3 0 * *',
  '0 3 * 13 *',
  '0 3 * * 8',
  '5-1 3 * * *',
  '0 3 * *',
  '0 0 3 * * *',
  '*/0 3 * * *',
  'a b c d e',
  '0  3 * * *',
])('%s is none', (text) => {
  expect(readSchedule(text)).toBeUndefined();
});
