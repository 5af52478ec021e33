import { type Evidence, judge } from './judge';

const at = (ms: number): string => new Date(1_800_000_000_000 + ms).toISOString();
const epoch = (ms: number): number => 1_800_000_000_000 + ms;

/** Three payments, one second apart, each applied half a second after it was made. */
function evidence(change: Partial<Evidence> = {}): Evidence {
  const places = [0, 1, 2];
  return {
    sales: places.map((place) => ({
      sessionId: `cs_${place}`,
      invoiceId: `2000${place}`,
      amountTotal: 100 + place,
      eventIds: [`evt_${place}`],
    })),
    stripe: {
      paidSessions: places.map((place) => ({
        sessionId: `cs_${place}`,
        paymentIntentId: `pi_${place}`,
        invoiceId: `2000${place}`,
        amountTotal: 100 + place,
        currency: 'usd',
        paidAt: at(place * 1_000),
      })),
    },
    filemaker: {
      applied: Object.fromEntries(places.map((place) => [`invoice-paid:cs_${place}`, 1])),
      runs: places.map((place) => ({
        key: `invoice-paid:cs_${place}`,
        invoiceId: `2000${place}`,
        payload: '{}',
        sha256: String(place),
        effectApplied: true,
        startedAt: at(place * 1_000 + 400),
        finishedAt: at(place * 1_000 + 500),
        result: '{"v":1,"ok":true,"duplicate":false}',
        answer: 'answered',
      })),
      summary: summary(),
    },
    invoices: places.map((place) => ({ invoice_id: `2000${place}`, paid_cents: 100 + place })),
    acknowledged: new Set(places.map((place) => `evt_${place}`)),
    parked: [],
    open: [],
    outages: [],
    calls: [],
    cap: 5,
    faults: [],
    ...change,
  };
}

/** One run more, of a key that was applied before, and what its script answered. */
function repeated(result: string | null): Evidence {
  const { runs } = evidence().filemaker;
  return books({ runs: [...runs, ...runs.slice(0, 1).map((run) => ({ ...run, effectApplied: false, result }))] });
}

function summary(change: Partial<Evidence['filemaker']['summary']> = {}): Evidence['filemaker']['summary'] {
  return {
    runs: 3,
    running: 0,
    effectsApplied: 3,
    keysApplied: 3,
    keysAppliedMoreThanOnce: [],
    invoicesAppliedMoreThanOnce: [],
    unheardAnswers: 0,
    overlaps: 0,
    deletedInUse: 0,
    sessions: { opened: 5, peak: 5, present: 5 },
    logins: { ok: 5, refused: 0 },
    requests: { total: 20 },
    ...change,
  };
}

/** The books with a change of what FileMaker's say. */
function books(change: Partial<Evidence['filemaker']>): Evidence {
  const plain = evidence();
  return { ...plain, filemaker: { ...plain.filemaker, ...change } };
}

test('three payments, three scripts, five sessions of five: passed, with every figure', () => {
  expect(judge(evidence())).toEqual({
    passed: true,
    paid: 3,
    accepted: 3,
    appliedOnce: 3,
    lost: [],
    owed: [],
    doubled: [],
    parked: [],
    worstDelayMs: 500,
    peakSessions: 5,
    cap: 5,
    unheardAnswers: 0,
    outages: [],
    faults: [],
    missed: [],
  });
});

test('a paid Session that FileMaker’s books lack is lost, also when no webhook of it was ever accepted', () => {
  const { applied } = evidence().filemaker;
  const { 'invoice-paid:cs_1': _lost, ...rest } = applied;
  const found = judge({ ...books({ applied: rest }), acknowledged: new Set(['evt_0', 'evt_2']) });
  expect(found).toMatchObject({ passed: false, accepted: 2, appliedOnce: 2, lost: ['cs_1'], doubled: [] });
});

test('a key that was applied twice is doubled, once and not also by its invoice', () => {
  const { applied } = evidence().filemaker;
  const found = judge(
    books({
      applied: { ...applied, 'invoice-paid:cs_2': 2 },
      summary: summary({ invoicesAppliedMoreThanOnce: ['20002'] }),
    }),
  );
  expect(found).toMatchObject({ passed: false, appliedOnce: 2, lost: [], doubled: ['invoice-paid:cs_2'] });
});

test('an invoice that two keys have paid is doubled although each key ran once', () => {
  const found = judge(books({ summary: summary({ invoicesAppliedMoreThanOnce: ['20002'] }) }));
  expect(found).toMatchObject({ passed: false, doubled: ['invoice 20002'] });
});

test('a payment that is parked is not lost, and fails the rehearsal all the same, with its reason', () => {
  const { applied } = evidence().filemaker;
  const { 'invoice-paid:cs_0': _one, 'invoice-paid:cs_1': _two, ...rest } = applied;
  const parked = [
    { what: 'invoice-paid:cs_0', code: 'KEY_CONFLICT' },
    { what: 'evt_1', code: 'STRIPE_NOT_FOUND' },
  ];
  const found = judge({ ...books({ applied: rest }), parked });
  expect(found).toMatchObject({ passed: false, lost: [], parked, faults: ['parked for a person: 2'] });
});

test('a payment that the bridge still has in hand is owed and not lost, and fails the rehearsal', () => {
  const { applied } = evidence().filemaker;
  const { 'invoice-paid:cs_0': _one, 'invoice-paid:cs_1': _two, ...rest } = applied;
  const found = judge({ ...books({ applied: rest }), open: ['invoice-paid:cs_0', 'evt_1'] });
  expect(found).toMatchObject({ passed: false, appliedOnce: 1, lost: [], owed: ['cs_0', 'cs_1'] });
});

test.each<[string, Evidence]>([
  ['a session more than the cap', books({ summary: summary({ sessions: { opened: 6, peak: 6, present: 6 } }) })],
  ['a call on a session in use', books({ summary: summary({ overlaps: 1 }) })],
  ['a session logged out in mid-call', books({ summary: summary({ deletedInUse: 1 }) })],
  ['a script for no payment', books({ applied: { ...evidence().filemaker.applied, 'invoice-paid:cs_none': 1 } })],
  ['a script that was sent again after it had run', repeated('{"v":1,"ok":true,"duplicate":true}')],
  ['an amount that is not Stripe’s', evidence({ invoices: [{ invoice_id: '20000', paid_cents: '99' }] })],
  ['a row that never came to an end', evidence({ open: ['invoice-paid:cs_0'] })],
  ['an app that ended by itself', evidence({ faults: ['a worker ended by itself with code 1'] })],
])('%s fails a rehearsal in which every payment was applied once', (_what, given) => {
  expect(judge(given)).toMatchObject({ passed: false, appliedOnce: 3, lost: [], doubled: [] });
});

test('a run whose result is no JSON, or of which there is none, is not taken for a repeat', () => {
  expect([repeated('OK'), repeated('null'), repeated(null)].map((given) => judge(given).passed)).toEqual([
    true,
    true,
    true,
  ]);
});

test('an outage counts the calls within it and the time to the next script', () => {
  const outages = [{ of: 'FileMaker', from: epoch(500), to: epoch(1_300) } as const];
  const calls = [499, 500, 700, 1_299, 1_300].map(epoch);
  expect(judge(evidence({ outages, calls })).outages).toEqual([
    { of: 'FileMaker', seconds: 0.8, calls: 3, resumedAfterMs: 100 },
  ]);
});

test('calls are counted for outages of FileMaker only, and no script after an outage is no figure', () => {
  const outages = [{ of: 'Redis', from: epoch(2_450), to: epoch(3_000) } as const];
  expect(judge(evidence({ outages, calls: [epoch(2_500)] })).outages).toEqual([
    { of: 'Redis', seconds: 0.55, calls: null, resumedAfterMs: null },
  ]);
});

test('where the next outage began before work went on, both resume counts start at the end of the last', () => {
  const outages = [
    { of: 'Stripe', from: epoch(450), to: epoch(900) },
    { of: 'PostgreSQL', from: epoch(1_000), to: epoch(1_500) },
    { of: null, from: epoch(1_400), to: epoch(2_000) },
  ] as const;
  const given = evidence({ outages });
  const late = { ...given.filemaker, runs: given.filemaker.runs.filter(({ key }) => key !== 'invoice-paid:cs_1') };
  expect(judge({ ...given, filemaker: late }).outages.map(({ of, resumedAfterMs }) => [of, resumedAfterMs])).toEqual([
    ['Stripe', 400],
    ['PostgreSQL', 400],
  ]);
});

test('a missed expectation is told and does not fail the rehearsal', () => {
  const outages = [{ of: 'FileMaker', from: epoch(500), to: epoch(900) } as const];
  const calls = [600, 700].map(epoch);
  const expects = { resumedWithinSeconds: 0.2, callsAtMost: 1, worstDelaySeconds: 0.5, unheardAtMost: 0 };
  expect(judge(evidence({ outages, calls }), expects)).toMatchObject({
    passed: true,
    missed: [
      'seconds until work went on: 0.5, expected at most 0.2',
      'calls to FileMaker while it was away: 2, expected at most 1',
    ],
  });
});
