import type { Rehearsal } from './rehearse';
import { few, jsonOf, sentenceOf, tableOf } from './report';

function rehearsal(change: Partial<Rehearsal> = {}): Rehearsal {
  return {
    scenario: {
      name: 'filemaker-down',
      story: 'FileMaker took no connections for 20 s',
      load: { payments: 200, overSeconds: 24 },
      blows: [],
    },
    seed: 1,
    seconds: 31.234,
    printed: '',
    passed: true,
    paid: 200,
    accepted: 200,
    appliedOnce: 200,
    lost: [],
    owed: [],
    doubled: [],
    parked: [],
    worstDelayMs: 22_049,
    peakSessions: 5,
    cap: 5,
    unheardAnswers: 3,
    outages: [{ of: 'FileMaker', seconds: 20, calls: 34, resumedAfterMs: 310 }],
    faults: [],
    missed: [],
    ...change,
  };
}

test('a good end is one sentence with its price', () => {
  expect(sentenceOf(rehearsal())).toBe(
    'filemaker-down: FileMaker took no connections for 20 s; all 200 payments were applied once, the slowest after 22.0 s, work went on 0.3 s after the end of the outage, 34 calls to FileMaker while it was away.',
  );
});

test('a bad end says how many, and everything else that was wrong', () => {
  const bad = rehearsal({
    passed: false,
    appliedOnce: 198,
    lost: ['cs_1'],
    doubled: ['invoice-paid:cs_2'],
    peakSessions: 6,
    faults: ['parked for a person: 1'],
    missed: ['seconds until work went on: 9.0, expected at most 3'],
    outages: [],
  });
  expect(sentenceOf(bad)).toBe(
    'filemaker-down: FileMaker took no connections for 20 s; of 200 payments 198 were applied once, 1 lost, 1 doubled, the slowest after 22.0 s, 6 FileMaker sessions although 5 were allowed, parked for a person: 1, seconds until work went on: 9.0, expected at most 3.',
  );
});

test('the table has a row for each, figures under their heads', () => {
  const lines = tableOf([rehearsal(), rehearsal({ passed: false, outages: [], worstDelayMs: null })]);
  expect(lines).toEqual([
    '   scenario        paid  accepted  once  lost  doubled  owed  parked  worst delay  sessions  calls while away  went on after',
    '✓  filemaker-down   200       200   200     0        0     0       0       22.0 s    5 of 5                34          0.3 s',
    '✗  filemaker-down   200       200   200     0        0     0       0            –    5 of 5                 –              –',
  ]);
});

test('JSON gives sums over all, and each with its reasons counted', () => {
  const parked = ['a', 'b', 'c'].map((what) => ({ what, code: what === 'c' ? 'SECOND_PAYMENT' : 'KEY_CONFLICT' }));
  const bad = rehearsal({ passed: false, lost: ['cs_1', 'cs_2'], doubled: ['invoice-paid:cs_3'], parked });
  expect(jsonOf([rehearsal(), bad], 1)).toMatchObject({
    passed: false,
    seed: 1,
    lost: 2,
    doubled: 1,
    scenarios: [
      {
        name: 'filemaker-down',
        passed: true,
        seconds: 31.23,
        worstDelaySeconds: 22.05,
        resumedAfterSeconds: 0.31,
        callsDuringOutages: 34,
        sessionCap: 5,
      },
      { passed: false, lost: 2, lostSessions: ['cs_1', 'cs_2'], parkedReasons: ['2 KEY_CONFLICT', '1 SECOND_PAYMENT'] },
    ],
  });
});

test('of many names the first few are printed', () => {
  expect(few(['a', 'b'])).toBe('a, b');
  expect(few(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c, and 2 more');
});
