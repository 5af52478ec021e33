import type { StatusFigures } from './status-figures';
import { describeStatus, spell, topLines } from './status-lines';

const at = new Date('2026-11-22T12:00:00Z');
const worker = { id: 'worker-1', app: 'worker', host: 'a', pid: 1, startedAt: at };
const calm: StatusFigures = {
  inbox: {
    counts: { received: 0, processing: 0, processed: 5, ignored: 0, parked: 0 },
    oldestUnfinishedSeconds: 0,
    otherModeLastDay: 0,
  },
  effects: { counts: { planned: 0, sending: 0, unknown: 0, parked: 0, done: 5, cancelled: 0 }, unverifiedDone: 0 },
  parked: { effects: 0, events: 0, newest: [] },
  money: [],
  overdue: { unknown: 0, checkFirst: 0, oldest: [] },
  holds: [],
  closures: [],
  processes: { living: [worker], everSeen: ['worker'] },
  filemakerSessions: { opening: 0, idle: 1, leased: 0, closing: 0 },
  recovery: {
    passes: [{ flow: 'invoices', pass: 'recent', endedAt: new Date(at.getTime() - 180_000), checked: 7 }],
    standing: [],
    openFindings: [],
    pulledAt: null,
    lastClosedDay: null,
    unsentLetter: null,
  },
};
const reconciled = 'Missed webhooks of invoices were looked for: payments of the last day 3 min ago.';
/** Without the line on reconciliation that looked just now, and without the pages. */
const lines = (figures: StatusFigures | null, pendingMigrations: string[] = []) =>
  describeStatus({ pendingMigrations, figures, at })
    .filter(({ sentence }) => sentence !== reconciled)
    .map(({ runbook: _page, ...line }) => line);

test('a bridge that has done its work says that nothing waits', () => {
  expect(lines(calm)).toEqual([{ tone: 'fine', sentence: 'Nothing waits for you.', next: './bridge doctor' }]);
});

test('beside what waits until the bridge is live it is not said that nothing waits', () => {
  const why = {
    tone: 'note',
    sentence: 'The bridge only observes.',
    next: './bridge golive',
    cause: 'OBSERVING',
  } as const;
  const told = describeStatus({ pendingMigrations: [], figures: calm, at, more: [why] });
  expect(told.map(({ sentence }) => sentence)).toContain('Nothing else waits for you.');
  expect(told.map(({ sentence }) => sentence)).not.toContain('Nothing waits for you.');
});

test('a stray event of the other mode is told for a day and is nobody’s trouble', () => {
  const told = lines({ ...calm, inbox: { ...calm.inbox, otherModeLastDay: 2 } });
  expect(told.map(({ tone }) => tone)).toEqual(['note', 'fine']);
  expect(told[0]).toMatchObject({ next: './bridge events list --state ignored' });
  expect(told[0]?.sentence).toMatch(/^2 events of the other mode came in the last 24 hours/);
});

test('what waits for a person says how much money it is, where that is known', () => {
  const item = { reasonCode: 'X', reason: 'why', since: at, objectId: null };
  const newest = [
    {
      ...item,
      kind: 'effect' as const,
      id: '7',
      title: 'Mark invoice 1 paid',
      money: { amount: 5_400, currency: 'jpy' },
    },
    { ...item, kind: 'event' as const, id: '34', title: 'Event x', money: { amount: 1_195, currency: 'usd' } },
    { ...item, kind: 'event' as const, id: '35', title: 'Event y', money: null },
  ];
  expect(lines({ ...calm, parked: { effects: 1, events: 2, newest } }).map(({ sentence }) => sentence)).toEqual([
    'Mark invoice 1 paid, 5,400 JPY: why',
    'why: 11.95 USD (event 34)',
    'why (event 35)',
  ]);
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
      newest: [
        {
          kind: 'effect',
          id: '7',
          title: 'Mark invoice 1 paid',
          reasonCode: 'X',
          reason: 'why',
          since: at,
          objectId: null,
          money: { amount: 15_000, currency: 'usd' },
        },
      ],
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
    { tone: 'waits', sentence: 'Mark invoice 1 paid, 150.00 USD: why', next: './bridge effects show 7' },
    { tone: 'waits', sentence: '2 more wait for a person.', next: './bridge effects list --state parked' },
    {
      tone: 'note',
      sentence: "2 done and unverified: a plain script's answer or a person's word, and nothing to prove it.",
      next: './bridge runbook unverified',
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

const hold = {
  id: '7',
  lane: 'invoice:18637',
  title: 'Mark invoice 18637 paid',
  because: 'refused',
  code: 'SCRIPT_RECORD_LOCKED_301',
  reason: 'the record is locked',
  since: new Date(at.getTime() - 720_000),
  sinceMs: 720_000,
  dueAt: at,
  behind: 2,
  target: { layout: 'web_invoices', script: 'X' },
  subject: { invoiceId: '18637' },
} as const;

test('a record that stays locked is put as a question to whoever has it open', () => {
  expect(lines({ ...calm, holds: [hold] })).toEqual([
    {
      tone: 'waits',
      sentence:
        'Mark invoice 18637 paid: for 12 min somebody has had invoice 18637 (layout web_invoices) open in FileMaker. Who is it? Please save the record and leave it; the script is tried again by itself. 2 more wait behind it.',
      next: './bridge effects show 7',
    },
  ]);
});

test('an answer that has not come keeps its lane waiting for all to see; after an hour it is told as overdue only', () => {
  const unknown = {
    ...hold,
    because: 'unknown',
    code: 'FILEMAKER_UNHEARD',
    behind: 1,
    reason: 'still at work',
  } as const;
  expect(lines({ ...calm, holds: [unknown] })[0]).toMatchObject({
    tone: 'note',
    sentence:
      'Mark invoice 18637 paid: sent 12 min ago, and FileMaker is being asked whether it has run: still at work. 1 more waits behind it.',
  });
  expect(lines({ ...calm, holds: [{ ...unknown, sinceMs: 3_600_000 }] }).map(({ tone }) => tone)).toEqual(['fine']);
});

test('what FileMaker refuses for another reason is not blamed on a person', () => {
  const refused = {
    ...hold,
    code: 'SCRIPT_ROLLED_BACK_5000',
    reason: 'rolled back',
    behind: 0,
    subject: {},
    target: 7,
  };
  expect(lines({ ...calm, holds: [refused] })[0]?.sentence).toBe(
    'Mark invoice 18637 paid: FileMaker has refused it for 12 min: rolled back. It is tried again by itself.',
  );
});

const closed = (rest: Partial<StatusFigures['closures'][number]>): StatusFigures => ({
  ...calm,
  closures: [
    {
      scope: 'filemaker',
      kind: 'halt',
      cause: 'X',
      detail: 'seen',
      by: 'w',
      since: new Date(at.getTime() - 300_000),
      ...rest,
    },
  ],
});

test.each([
  ['filemaker', 'FILEMAKER_CREDENTIALS', 'fmrest', './bridge resume filemaker --why "…"'],
  ['script:SHIP', 'FILEMAKER_SCRIPT_MISSING', 'a script of this name', './bridge resume script SHIP --why "…"'],
  ['script:SHIP', 'FILEMAKER_LAYOUT_MISSING', 'a layout of this name', './bridge resume script SHIP --why "…"'],
  ['script:SHIP', 'FILEMAKER_FIELD_MISSING', 'the field on the layout', './bridge resume script SHIP --why "…"'],
  ['filemaker', 'FILEMAKER_DATA_LIMIT', 'yearly transfer', './bridge resume filemaker --why "…"'],
  ['stripe', 'STRIPE_KEY_REFUSED', 'STRIPE_API_KEY', './bridge resume stripe --why "…"'],
])('a halt of %s for %s says what to mend, and the command that ends it', (scope, cause, advice, next) => {
  const [line] = lines(closed({ scope, cause }));
  expect(line).toMatchObject({ tone: 'broken', next });
  expect(line?.sentence).toContain(`(${cause}): seen. `);
  expect(line?.sentence).toContain(advice);
  expect(line?.sentence.endsWith('Then resume.')).toBe(true);
});

test('a cause that is new to this version is told without advice', () => {
  expect(lines(closed({}))[0]?.sentence).toBe('FileMaker has been halted for 5 min (X): seen');
});

test('a maintenance window waits for nobody: it says until when, and where to read more', () => {
  const window = closed({
    kind: 'window',
    cause: 'MAINTENANCE_WINDOW',
    detail: 'backup, until 2026-11-22 14:00 (UTC)',
    until: at,
  });
  expect(lines(window)).toEqual([
    {
      tone: 'note',
      sentence:
        'FileMaker is in its maintenance window: backup, until 2026-11-22 14:00 (UTC). Work goes on by itself then.',
      next: './bridge runbook maintenance-window',
    },
    { tone: 'fine', sentence: 'Nothing waits for you.', next: './bridge doctor' },
  ]);
});

test('every line names a command, and a process that is missing is started by ./bridge up', () => {
  const figures: StatusFigures = {
    ...closed({ kind: 'circuit', cause: 'PEER_AWAY', detail: 'no answer' }),
    processes: { living: [], everSeen: ['worker', 'scheduler'] },
    effects: { ...calm.effects, unverifiedDone: 1 },
    holds: [hold],
  };
  const told = describeStatus({ pendingMigrations: [], figures, at });
  expect(told.map(({ next }) => next.startsWith('./bridge '))).toEqual(told.map(() => true));
  expect(told.filter(({ next }) => next === './bridge up')).toHaveLength(2);
});

describe('what looks for missed webhooks', () => {
  const recovery = (change: Partial<StatusFigures['recovery']>): StatusFigures => ({
    ...calm,
    recovery: { ...calm.recovery, ...change },
  });

  test('says when each pass last came to its end, when events were fetched, and which day was closed', () => {
    const ended = (pass: string, seconds: number) => ({
      flow: 'invoices',
      pass,
      endedAt: new Date(at.getTime() - seconds * 1_000),
      checked: 3,
    });
    const figures = recovery({
      passes: [ended('recent', 40), ended('reversals', 7_200), ended('of-tomorrow', 50)],
      pulledAt: new Date(at.getTime() - 30_000),
      lastClosedDay: '2026-11-21',
    });
    expect(lines(figures).map(({ sentence }) => sentence)).toEqual([
      'Missed webhooks of invoices were looked for: payments of the last day 40 s ago, refunds and disputes 2 h ago, of-tomorrow 50 s ago.',
      'Events were last fetched from Stripe 30 s ago.',
      'The last closed day is 2026-11-21.',
      'Nothing waits for you.',
    ]);
  });

  test('money that reconciliation has found missing waits for a person, by currency', () => {
    const openFindings = [
      { currency: 'eur', count: 1, amount: 0 },
      { currency: 'jpy', count: 2, amount: 5_000 },
      { currency: 'usd', count: 4, amount: 738_000 },
    ];
    expect(lines(recovery({ openFindings }))[0]).toEqual({
      tone: 'waits',
      sentence: 'Reconciliation has 7 open findings: 5,000 JPY and 7,380.00 USD at risk.',
      next: './bridge findings list',
    });
  });

  test('a letter that nobody got for sure is told, with the command that shows the day', () => {
    const unsentLetter = {
      day: '2026-11-21',
      code: 'MAIL_REFUSED',
      detail: 'The mail server refused the letter (550)',
    };
    expect(lines(recovery({ unsentLetter }))[0]).toEqual({
      tone: 'waits',
      sentence: 'The letter about 2026-11-21 was not sent for sure: The mail server refused the letter (550).',
      next: './bridge close 2026-11-21',
    });
  });

  test('a reconciliation that has not come to its end for more than an hour waits for a person', () => {
    const pass = { flow: 'invoices', pass: 'recent', checked: 1 };
    const told = (seconds: number) =>
      lines(recovery({ passes: [{ ...pass, endedAt: new Date(at.getTime() - seconds * 1_000) }] }))[0];
    expect(told(3_600)?.tone).toBe('fine');
    expect(told(3_601)).toMatchObject({ tone: 'waits', next: './bridge doctor' });
  });

  test('a pass that stands still waits for a person although another pass of its flow came to its end just now', () => {
    const standing = [
      {
        flow: 'invoices',
        pass: 'reversals',
        since: new Date(at.getTime() - 3 * 3_600_000),
        reason: 'Stripe cannot be reached.',
      },
    ];
    expect(lines(recovery({ standing }))[0]).toEqual({
      tone: 'waits',
      sentence:
        'The look for missed webhooks of invoices at refunds and disputes has not come to its end, wanted 3 h ago: Stripe cannot be reached.',
      next: './bridge doctor',
    });
  });

  test('one that never came to its end is noted, once a worker is there to do it', () => {
    expect(lines(recovery({ passes: [] }))[0]).toMatchObject({ tone: 'note', next: './bridge doctor' });
    expect(lines({ ...recovery({ passes: [] }), processes: { living: [], everSeen: [] } })).toHaveLength(2);
  });
});

describe('ten lines at most', () => {
  const parked = (count: number): StatusFigures => ({
    ...calm,
    parked: {
      effects: count,
      events: 0,
      newest: Array.from({ length: count }, (_, index) => ({
        kind: 'effect' as const,
        id: String(index),
        title: `Mark invoice ${index} paid`,
        reasonCode: 'second-payment',
        reason: 'paid before',
        since: at,
        objectId: null,
        money: null,
      })),
    },
  });
  const told = (count: number) => describeStatus({ pendingMigrations: [], figures: parked(count), at });

  test('what fits stays as it is', () => {
    expect(topLines(told(9), 10)).toEqual(told(9));
    expect(told(9)).toHaveLength(10);
  });

  test('the last line counts what is left out, and how much of it waits for a person', () => {
    const short = topLines(told(12), 10);
    expect(short).toHaveLength(10);
    expect(short.slice(0, 9)).toEqual(told(12).slice(0, 9));
    expect(short[9]).toEqual({
      tone: 'waits',
      sentence: '4 more lines, 3 of them about what waits for you.',
      next: './bridge status --all',
      runbook: null,
    });
  });

  test('a line that explains the others stays, in its place, however much waits', () => {
    const why = { tone: 'note', sentence: 'The bridge only observes.', next: './bridge golive', always: true } as const;
    const all = describeStatus({ pendingMigrations: [], figures: parked(12), at, more: [why] });
    const short = topLines(all, 10);
    expect(short).toHaveLength(10);
    expect(short.slice(0, 8)).toEqual(all.slice(0, 8));
    expect(all[12]).toEqual({ ...why, runbook: null });
    expect(short[8]).toEqual({ ...why, runbook: null });
    expect(short[9]?.sentence).toBe('5 more lines, 4 of them about what waits for you.');
  });
});

test.each([
  [
    'names no invoice is given one, as its runbook says',
    'NO_INVOICE_ID',
    'cs_1',
    './bridge replay cs_1 --invoice … --dry-run',
  ],
  ['cannot be read is looked at first', 'SESSION_UNREADABLE', 'cs_1', './bridge events show 34'],
  ['names no invoice and no payment is looked at', 'NO_INVOICE_ID', null, './bridge events show 34'],
])('an event of a payment that %s', (_case, reasonCode, objectId, next) => {
  const newest = [
    { kind: 'event' as const, id: '34', title: 'Event x', reasonCode, reason: '', since: at, objectId, money: null },
  ];
  expect(lines({ ...calm, parked: { effects: 0, events: 1, newest } })).toMatchObject([{ tone: 'waits', next }]);
});

test('a line leads to the page of its cause', () => {
  const pages = new Map([
    ['second-payment', 'second-payment'],
    ['FILEMAKER_CREDENTIALS', 'filemaker-login'],
    ['SCRIPT_RECORD_LOCKED_301', 'record-locked'],
  ]);
  const figures = {
    ...closed({ cause: 'FILEMAKER_CREDENTIALS' }),
    holds: [hold],
    parked: {
      effects: 1,
      events: 0,
      newest: [
        {
          kind: 'effect' as const,
          id: '1',
          title: 'x',
          reasonCode: 'second-payment',
          reason: '',
          since: at,
          objectId: null,
          money: null,
        },
      ],
    },
  };
  const told = describeStatus({ pendingMigrations: [], figures, at, runbookOf: (cause) => pages.get(cause) });
  expect(told.map(({ runbook }) => runbook)).toEqual(['filemaker-login', 'second-payment', 'record-locked', null]);
});

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [119, '2 min'],
  [120, '2 min'],
  [7_200, '2 h'],
  [172_800, '2 days'],
])('%i seconds are spelt %s', (seconds, text) => {
  expect(spell(seconds)).toBe(text);
});
