import { roundsExpected } from '@bridge/operations';
import { roundSchedules } from './round-schedules';

const webhook = { delivery: 'webhook', pullSeconds: 60 } as const;
const idsOf = (schedules: ReturnType<typeof roundSchedules>) => schedules.map(({ id }) => id);

test('events are fetched each minute where nothing else brings them, and every five minutes beside webhooks', () => {
  const when = (stripe: Parameters<typeof roundSchedules>[0]['stripe']) =>
    roundSchedules({ mode: 'live', timezone: 'UTC', stripe }).find(({ id }) => id === 'fetch-events')?.when;
  expect(when({ delivery: 'pull', pullSeconds: 60 })).toEqual({ everyMs: 60_000 });
  expect(when({ delivery: 'pull', pullSeconds: 300 })).toEqual({ everyMs: 300_000 });
  expect(when(webhook)).toEqual({ everyMs: 300_000 });
});

test('bodies are erased each night in the configured zone, and a comparison is made only while observing', () => {
  const live = roundSchedules({ mode: 'live', timezone: 'America/Chicago', stripe: webhook });
  expect(idsOf(live)).toEqual(expect.arrayContaining(['fetch-events', 'erase-bodies']));
  expect(live.find(({ id }) => id === 'erase-bodies')?.when).toMatchObject({ timeZone: 'America/Chicago' });
  expect(idsOf(live)).not.toContain('compare-observed');
  const observing = roundSchedules({ mode: 'observe', timezone: 'UTC', stripe: webhook });
  expect(idsOf(observing)).toContain('compare-observed');
});

test.each(['live', 'observe'] as const)(
  '%s: the doctor misses exactly the rounds that are made here, as often as they come',
  (mode) => {
    const made = roundSchedules({ mode, timezone: 'UTC', stripe: webhook }).map(({ id, when }) => ({
      id,
      everyMs: 'everyMs' in when ? when.everyMs : 86_400_000,
    }));
    expect([...roundsExpected(mode)].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
      made.sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  },
);
