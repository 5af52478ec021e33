import type { StatusFigures } from './status-figures';
import { describeStatus, spell } from './status-lines';

const at = new Date('2026-11-22T12:00:00Z');
const worker = { id: 'worker-1', app: 'worker', host: 'a', pid: 1, startedAt: at };
const calm: StatusFigures = {
  inbox: {
    counts: { received: 0, processing: 0, processed: 5, ignored: 0, parked: 0 },
    oldestUnfinishedSeconds: 0,
  },
  effects: { counts: { planned: 0, sending: 0, unknown: 0, parked: 0, done: 5, cancelled: 0 }, unverifiedDone: 0 },
  parked: { effects: 0, events: 0, newest: [] },
  overdue: { unknown: 0, checkFirst: 0, oldest: [] },
  closures: [],
  processes: { living: [worker], everSeen: ['worker'] },
  filemakerSessions: { opening: 0, idle: 1, leased: 0, closing: 0 },
};
const lines = (figures: StatusFigures | null, pendingMigrations: string[] = []) =>
  describeStatus({ pendingMigrations, figures, at });

test('a bridge that has done its work says that nothing waits', () => {
  expect(lines(calm)).toEqual([{ tone: 'fine', sentence: 'Nothing waits for you.', next: null }]);
});

test('a database that lacks migrations leads to migrate and to nothing else', () => {
  expect(lines(null, ['inbox/0001-a.sql', 'effects/0001-b.sql'])).toEqual([
    {
      tone: 'broken',
      sentence: 'The database is not up to date: inbox/0001-a.sql and 1 more are not applied.',
      next: './bridge migrate',
    },
  ]);
});

test('what stands still comes before what waits, and both before what is good to know', () => {
  const figures: StatusFigures = {
    ...calm,
    effects: { ...calm.effects, unverifiedDone: 2 },
    parked: {
      effects: 3,
      events: 0,
      newest: [{ kind: 'effect', id: '7', title: 'Mark invoice 1 paid', reasonCode: 'X', reason: 'why', since: at }],
    },
    closures: [
      {
        scope: 'script:Ship',
        kind: 'halt',
        cause: 'FILEMAKER_104',
        detail: 'script missing',
        by: 'worker',
        since: new Date(at.getTime() - 300_000),
      },
    ],
  };
  expect(lines(figures)).toEqual([
    {
      tone: 'broken',
      sentence: 'Script Ship has been halted for 5 min (FILEMAKER_104): script missing',
      next: './bridge resume script Ship --why "…"',
    },
    { tone: 'waits', sentence: 'Mark invoice 1 paid: why', next: './bridge effects show 7' },
    { tone: 'waits', sentence: '2 more wait for a person.', next: './bridge effects list --state parked' },
    {
      tone: 'note',
      sentence: "2 done by FileMaker's word alone: a plain script has no log to prove it.",
      next: null,
    },
  ]);
});

test('a worker that was never started is no fault until something is owed', () => {
  const processes = { living: [], everSeen: [] };
  expect(lines({ ...calm, processes })[0]?.tone).toBe('note');
  const owed = { ...calm.effects, counts: { ...calm.effects.counts, planned: 1 } };
  expect(lines({ ...calm, processes, effects: owed })[0]?.tone).toBe('broken');
  expect(lines({ ...calm, processes: { living: [], everSeen: ['worker'] } })[0]?.tone).toBe('broken');
});

test('an answer that is missing for a minute is a note; after an hour it waits for a person and is noted no more', () => {
  const effects = { ...calm.effects, counts: { ...calm.effects.counts, unknown: 2 } };
  expect(lines({ ...calm, effects }).map((line) => line.tone)).toEqual(['note', 'fine']);
  const since = new Date(at.getTime() - 2 * 3_600_000);
  const old = {
    id: '9',
    title: 'Mark invoice 1 paid',
    state: 'unknown',
    reasonCode: 'X',
    reason: 'busy',
    since,
  } as const;
  expect(lines({ ...calm, effects, overdue: { unknown: 13, checkFirst: 0, oldest: [old] } }).slice(0, 2)).toEqual([
    {
      tone: 'waits',
      sentence: 'Mark invoice 1 paid: sent, and for 2 h nobody could tell whether it has run: busy',
      next: './bridge effects show 9',
    },
    {
      tone: 'waits',
      sentence: '12 more are not settled after an hour.',
      next: './bridge effects list --state unknown',
    },
  ]);
});

test.each([
  [0, '0 s'],
  [119, '119 s'],
  [120, '2 min'],
  [7_200, '2 h'],
  [172_800, '2 days'],
])('%i seconds are spelt %s', (seconds, text) => {
  expect(spell(seconds)).toBe(text);
});
