import type { ClaimedEffect } from '@bridge/effects';
import type { FoundRecord } from '@bridge/filemaker-client';
import type { Lease } from '@bridge/session-pool';
import { createAskFileMaker } from './ask-filemaker';
import type { ScriptTarget } from './script-target';

const SENTINEL = 'bridge-sentinel-test';
const HOUR_MS = 3_600_000;
const MAX_MS = 120_000;
const CALL_MS = 60_000;
const effect: ClaimedEffect = {
  id: '1',
  kind: 'filemaker-script',
  flow: 'invoices',
  key: 'invoice-paid:cs_1',
  lane: 'invoice:1',
  title: 'Mark invoice 1 paid',
  target: {},
  body: '{}',
  subject: {},
  state: 'unknown',
  checkFirst: false,
  askOnly: false,
  attempts: 1,
  refusals: 0,
  plannedAt: new Date(0),
  firstSentAt: new Date(0),
  lastSentAt: new Date(0),
  sinceSentMs: 2 * HOUR_MS,
  sincePlannedMs: 2 * HOUR_MS,
  unknownSinceMs: 2 * HOUR_MS,
  lastSessionId: null,
  lastAnswered: false,
  worker: 'worker-1',
  claimNo: '1',
};
const target: ScriptTarget = {
  layout: 'web_invoices',
  script: 'STRIPE_PAYMENTLINK_SUCCESS',
  contract: 'kit',
  transport: 'get',
  handoffLayout: 'web_handoff',
  probe: null,
  log: { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' },
};

afterEach(() => jest.restoreAllMocks());

/** A FileMaker whose log holds these rows, and hides whatever is planted in it. */
function setup(rows: { key: string; state: string }[], more = 0) {
  const records = rows.map(
    ({ key, state }, at): FoundRecord => ({
      recordId: `${at}`,
      modId: '0',
      fieldData: { idempotency_key: key, state, result: '{"ok":true}' },
    }),
  );
  const planted: unknown[] = [];
  const nobodyAsks = (): Promise<never> => Promise.reject(new Error('nobody asks this'));
  const lease: Lease = { leaseId: '1', sessionId: '1', token: 't', fence: '1', epoch: '1' };
  const ask = createAskFileMaker({
    client: {
      find: async () => ({ records, foundCount: records.length + more, returnedCount: records.length }),
      createRecord: async (_token, call) => {
        planted.push(call.fieldData);
        return { recordId: '9', modId: '0' };
      },
    },
    pool: {
      lease: async () => lease,
      giveBack: async () => true,
      ask: nobodyAsks,
      flushEpoch: async () => undefined,
    },
    gates: {
      closures: nobodyAsks,
      pause: nobodyAsks,
      halt: nobodyAsks,
      resume: nobodyAsks,
      openCircuit: nobodyAsks,
      takeProbe: nobodyAsks,
      probeFailed: nobodyAsks,
      closeCircuit: nobodyAsks,
    },
    worker: 'worker-1',
    sentinelKey: SENTINEL,
    scriptMaxMs: MAX_MS,
    callMaxMs: CALL_MS,
    leaseWaitMs: 1_000,
  });
  return { ask, planted };
}
const sentinel = { key: SENTINEL, state: 'sentinel' };
/** Of a session that cannot be asked, so that only the clock tells that a script is over. */
const sentAgo = (ms: number, more: Partial<ClaimedEffect> = {}): ClaimedEffect => ({
  ...effect,
  sinceSentMs: ms,
  unknownSinceMs: ms,
  ...more,
});

test.each(['started', 'failed'])(
  'a row in state %s is told to a person once its script must be over, not before',
  async (state) => {
    const { ask } = setup([sentinel, { key: effect.key, state }]);
    expect(await ask(sentAgo(MAX_MS - 1), target)).toMatchObject({ kind: 'wait', code: 'SCRIPT_MAY_STILL_RUN' });
    expect(await ask(sentAgo(MAX_MS), target)).toMatchObject({ kind: 'park', code: 'LOG_NOT_DONE' });
  },
);

test('two rows of one key are told to a person once the script must be over, not before', async () => {
  const { ask } = setup([sentinel, { key: effect.key, state: 'started' }, { key: effect.key, state: 'done' }]);
  expect(await ask(sentAgo(MAX_MS - 1), target)).toMatchObject({ kind: 'wait', code: 'SCRIPT_MAY_STILL_RUN' });
  expect(await ask(sentAgo(MAX_MS), target)).toMatchObject({ kind: 'park', code: 'LOG_CONTRADICTS' });
});

test('a row that is done is believed at once', async () => {
  const { ask } = setup([sentinel, { key: effect.key, state: 'done' }]);
  expect(await ask(sentAgo(1), target)).toMatchObject({ kind: 'there' });
});

test('a list that was cut short never proves that nothing is there', async () => {
  const { ask } = setup([sentinel], 1);
  expect(await ask(sentAgo(MAX_MS), target)).toMatchObject({ kind: 'park', code: 'LOG_CONTRADICTS' });
});

test('a hand-off that was sent again began its script up to one call later, and is waited for as much longer', async () => {
  const { ask } = setup([sentinel]);
  const handoff: ScriptTarget = { ...target, transport: 'handoff' };
  expect(await ask(sentAgo(MAX_MS), handoff)).toEqual({ kind: 'not-there' });
  const again = (ms: number): ClaimedEffect => sentAgo(ms, { attempts: 2 });
  expect(await ask(again(MAX_MS), target)).toEqual({ kind: 'not-there' });
  expect(await ask(again(MAX_MS + CALL_MS - 1), handoff)).toMatchObject({ kind: 'wait', afterMs: 1 });
  expect(await ask(again(MAX_MS + CALL_MS), handoff)).toEqual({ kind: 'not-there' });
});

test('a log that hides our own row is told to a person after an hour, once such a row has stood for a minute', async () => {
  const { ask, planted } = setup([]);
  const now = jest.spyOn(performance, 'now');
  const at = (second: number, one = effect) => {
    now.mockReturnValue(second * 1_000);
    return ask(one, target);
  };
  const waits = { kind: 'wait', code: 'SENTINEL_MISSING' };
  expect(await at(1)).toMatchObject(waits);
  expect(planted).toEqual([{ idempotency_key: SENTINEL, state: 'sentinel' }]);
  expect(await at(61)).toMatchObject(waits);
  expect(await at(62, sentAgo(HOUR_MS))).toMatchObject(waits);
  // Whoever planted last.
  expect(planted).toHaveLength(2);
  expect(await at(63)).toMatchObject({ kind: 'park', code: 'SENTINEL_MISSING' });
  // Days later somebody has emptied the log.
  expect(await at(500_000)).toMatchObject(waits);
});
