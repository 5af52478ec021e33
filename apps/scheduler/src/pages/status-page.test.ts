import type { Status } from '@bridge/operations';
import { statusPage } from './status-page';

const observing = {
  tone: 'note',
  sentence: 'The bridge only observes (MODE=observe).',
  next: './bridge golive',
  runbook: 'cut-over',
} as const;
const status: Status = {
  at: new Date('2026-11-22T12:00:00Z'),
  version: '0.0.0',
  postgresql: '17',
  pendingMigrations: [],
  figures: null,
  lines: [],
  fine: true,
};
const page = (mode: 'live' | 'observe', lines: Status['lines']): string =>
  statusPage({ status: { ...status, lines }, operator: 'ada', mode, timeZone: 'UTC' });

test('a bridge that only observes does not say that nothing waits, but what it does and what is next', () => {
  const told = page('observe', [observing]);
  expect(told).toContain('<h1>Only observing: nothing else waits for you.</h1>');
  expect(told).toContain(observing.sentence);
  expect(told).toContain('<code>./bridge golive</code>');
  expect(told).toContain('href="/runbooks/cut-over"');
  expect(told).not.toContain('>Nothing waits for you.');
  expect(page('live', [])).toContain('<h1>Nothing waits for you.</h1>');
});

test('what waits for a person is the headline also while the bridge observes', () => {
  const waits = {
    tone: 'waits',
    sentence: 'Mark invoice 1 paid',
    next: './bridge effects show 1',
    runbook: null,
  } as const;
  expect(page('observe', [waits, observing])).not.toContain('Only observing');
});

test('money of a bridge that only observes is planned and not on its way', () => {
  const figures: NonNullable<Status['figures']> = {
    inbox: {
      counts: { received: 0, processing: 0, processed: 2, ignored: 0, parked: 0 },
      oldestUnfinishedSeconds: 0,
      otherModeLastDay: 0,
    },
    effects: { counts: { planned: 2, sending: 0, unknown: 0, parked: 0, done: 0, cancelled: 0 }, unverifiedDone: 0 },
    parked: { effects: 0, events: 0, newest: [] },
    money: [{ place: 'on-the-way', currency: 'usd', count: 2, amount: 36_000 }],
    overdue: { unknown: 0, checkFirst: 0, oldest: [] },
    holds: [],
    closures: [],
    processes: { living: [], everSeen: [] },
    filemakerSessions: { opening: 0, idle: 0, leased: 0, closing: 0 },
    recovery: { passes: [], standing: [], openFindings: [], pulledAt: null, lastClosedDay: null, unsentLetter: null },
  };
  const told = (mode: 'live' | 'observe'): string =>
    statusPage({ status: { ...status, figures, lines: [observing] }, operator: 'ada', mode, timeZone: 'UTC' });
  expect(told('observe')).toContain('<dt>Planned, not sent, 2 payments</dt><dd>360.00 USD</dd>');
  expect(told('observe')).toContain('<dt>Planned, not sent</dt><dd>2</dd>');
  expect(told('live')).toContain('<dt>On the way, 2 payments</dt><dd>360.00 USD</dd>');
});
