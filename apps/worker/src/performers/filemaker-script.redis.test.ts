import {
  type Bench,
  type BenchOptions,
  INVOICE,
  SCRIPT,
  SENTINEL,
  setupBench,
  startBenchServices,
} from '../../tests/filemaker-bench';
import { createFileMakerProbe } from '../filemaker-probe';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let services: Awaited<ReturnType<typeof startBenchServices>>;
const cleanups: (() => Promise<void>)[] = [];
beforeAll(async () => {
  services = await startBenchServices();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => services.stop());

const setup = (options: BenchOptions = {}): Promise<Bench> => setupBench(services, cleanups, options);
const appliedOnce = (bench: Bench, key: unknown): void => {
  expect([...bench.simulator.books.applied]).toEqual([[key, 1]]);
  expect(bench.simulator.books.summary()).toMatchObject({ overlaps: 0, deletedInUse: 0 });
};
/** How long the client waits for a script that is held. All its other calls have to be answered in this time. */
const HELD_MS = 3_000;
const PLAIN_SCRIPT = { simulator: { scripts: { [SCRIPT]: { form: 'plain', effect: 'paid' } } } } as const;
const CUT: { kind: 'cut'; on: ['run'] } = { kind: 'cut', on: ['run'] };

describe('the kit contract', () => {
  test('a script that did its work is done, verified, with its answer kept and its session given back', async () => {
    const bench = await setup();
    const id = await bench.plan();
    expect(await bench.turn(id)).toMatchObject({ kind: 'done', verified: true });
    const effect = await bench.effect(id);
    expect(effect).toMatchObject({
      state: 'done',
      attempts: 1,
      result: { ok: true, key: effect.key, duplicate: false },
    });
    appliedOnce(bench, effect.key);
    expect(bench.simulator.books.runs[0]?.payload).toBe((effect.body as Buffer).toString());
    expect(await bench.pool.census()).toMatchObject({ idle: 1, leased: 0, quarantined: 0 });
  });

  test('a script that had done it before is done, and its effect stands once', async () => {
    const bench = await setup();
    const id = await bench.plan();
    const { key, body } = await bench.effect(id);
    const { token } = await bench.client.login();
    await bench.client.runScript(token, { layout: 'web_invoices', script: SCRIPT, parameter: String(body) });
    expect(await bench.turn(id)).toMatchObject({ kind: 'done', verified: true });
    appliedOnce(bench, key);
  });

  test('a locked invoice makes its lane wait, counts as a refusal, and is done when the lock is gone', async () => {
    const bench = await setup();
    const id = await bench.plan();
    await bench.control('/locks', { invoice: INVOICE });
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'SCRIPT_RECORD_LOCKED_301' });
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', refusals: 1, claimed_by: null });
    await bench.control('/locks', undefined, 'DELETE');
    expect(await bench.turn(id)).toMatchObject({ kind: 'done' });
    appliedOnce(bench, (await bench.effect(id)).key);
  });

  test('a transaction that was rolled back is tried again', async () => {
    const bench = await setup();
    const id = await bench.plan();
    await bench.trouble({ kind: 'commit-error', on: ['run'], code: 509 });
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'SCRIPT_ROLLED_BACK_5000' });
    expect(await bench.turn(id)).toMatchObject({ kind: 'done' });
    appliedOnce(bench, (await bench.effect(id)).key);
  });

  test('the same key with other content is parked for a person', async () => {
    const bench = await setup();
    const id = await bench.plan();
    const { body } = await bench.effect(id);
    const { token } = await bench.client.login();
    const other = String(body).replace('18000', '18001');
    await bench.client.runScript(token, { layout: 'web_invoices', script: SCRIPT, parameter: other });
    expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_KEY_CONFLICT_KEY_CONFLICT' });
  });

  test('work that is kept without its row in the log stands once: it is parked, and nobody asks the log and sends it again', async () => {
    const bench = await setup();
    // The log can be asked, and would prove that nothing has run.
    await bench.control('/databases/Shop/tables/log/records', {
      fieldData: { idempotency_key: SENTINEL, state: 'sentinel' },
    });
    const id = await bench.plan();
    await bench.trouble({ kind: 'result', on: ['run'], result: 'row-missing' });
    for (let turns = 0; turns < 3; turns += 1)
      expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'SCRIPT_ROW_MISSING' });
    appliedOnce(bench, (await bench.effect(id)).key);
    expect(bench.simulator.books.runs).toHaveLength(1);
    expect(await bench.attempts(id)).toEqual([
      { purpose: 'send', stage: 'answered', code: 'SCRIPT_ROW_MISSING', verdict: 'parked' },
    ]);
    expect(await bench.pool.census()).toMatchObject({ idle: 1, leased: 0, quarantined: 0 });
  });
});

describe('an answer that was lost', () => {
  test.each(['before', 'after'] as const)(
    'cut %s the script ran: unknown, then proved by asking, and once in the books',
    async (when) => {
      const bench = await setup();
      const id = await bench.plan();
      await bench.trouble({ ...CUT, when });
      expect(await bench.turn(id)).toMatchObject({ kind: 'unknown', code: 'FILEMAKER_UNHEARD' });
      expect(await bench.effect(id)).toMatchObject({ state: 'unknown', claimed_by: null });
      await bench.gates.closeCircuit('filemaker');
      expect(await bench.settle(id)).toMatchObject({ kind: 'done', verified: true });
      const effect = await bench.effect(id);
      appliedOnce(bench, effect.key);
      expect(effect.attempts).toBe(when === 'before' ? 2 : 1);
      const verdicts = (await bench.attempts(id)).map(({ purpose, verdict }) => `${purpose}: ${verdict}`);
      expect(verdicts).toContain(when === 'before' ? 'cross-check: not-there' : 'cross-check: there');
    },
  );

  test('a script that is still at work is waited for, and its effect is not sent again', async () => {
    const bench = await setup({ simulator: { holdScripts: 'before-commit' }, timeoutMs: HELD_MS });
    const id = await bench.plan();
    expect(await bench.turn(id)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SCRIPT_STILL_RUNNING' });
    await bench.control('/settings', { holdScripts: 'none' });
    await bench.simulator.books.waitFor({ applied: 1, idle: true }, 30_000);
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
    expect((await bench.effect(id)).attempts).toBe(1);
    appliedOnce(bench, (await bench.effect(id)).key);
  });

  test('where FileMaker does not tell whether a session is in use, nothing is sent again before the longest script has ended', async () => {
    const bench = await setup({ simulator: { isSessionInUseFlag: 'absent' }, scriptMaxMs: 60_000 });
    const id = await bench.plan();
    await bench.trouble({ ...CUT, when: 'before' });
    await bench.turn(id);
    await bench.gates.closeCircuit('filemaker');
    for (let turns = 0; turns < 3; turns += 1) {
      expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SCRIPT_MAY_STILL_RUN' });
    }
    expect(bench.simulator.books.runs).toHaveLength(0);
    await bench.agePast(id, 60_000);
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
    appliedOnce(bench, (await bench.effect(id)).key);
  });

  test('a log that the account may not see never proves that nothing happened', async () => {
    const hidden = { name: 'bridge', password: 'bridge', hiddenLayouts: ['bridge_log'] };
    const bench = await setup({ simulator: { accounts: [hidden] } });
    const id = await bench.plan();
    await bench.trouble({ ...CUT, when: 'after' });
    await bench.turn(id);
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'FILEMAKER_LAYOUT_MISSING' });
    expect(await bench.effect(id)).toMatchObject({ state: 'unknown' });
    expect(await bench.scopesClosed()).toEqual([`halt script:${SCRIPT} FILEMAKER_LAYOUT_MISSING`]);
    expect(bench.simulator.books.runs).toHaveLength(1);
  });

  test('a fresh log proves nothing until it has shown the row that the bridge planted', async () => {
    const bench = await setup();
    const id = await bench.plan();
    await bench.trouble({ ...CUT, when: 'before' });
    await bench.turn(id);
    await bench.gates.closeCircuit('filemaker');
    // The cut connection's session has to be asked first; then the log is looked at.
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SENTINEL_MISSING' });
    expect(bench.simulator.books.runs).toHaveLength(0);
    const { records } = (await bench.control('/databases/Shop/tables/log/records', undefined, 'GET')) as {
      records: { fields: Record<string, string> }[];
    };
    expect(records.map(({ fields }) => fields.idempotency_key)).toEqual([SENTINEL]);
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
  });

  test('a row that began and did not finish is parked, never sent again', async () => {
    const bench = await setup();
    const id = await bench.plan();
    const { key } = await bench.effect(id);
    await bench.trouble({ ...CUT, when: 'before' });
    await bench.turn(id);
    await bench.gates.closeCircuit('filemaker');
    await bench.control('/databases/Shop/tables/log/records', {
      fieldData: { idempotency_key: String(key), state: 'started' },
    });
    expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'LOG_NOT_DONE' });
  });

  test('an effect planned by recovery asks first: done already, it is not sent', async () => {
    const bench = await setup();
    const id = await bench.plan({}, { checkFirst: true, origin: 'reconciliation' });
    const { body, key } = await bench.effect(id);
    const { token } = await bench.client.login();
    await bench.client.runScript(token, { layout: 'web_invoices', script: SCRIPT, parameter: String(body) });
    expect(await bench.turn(id)).toMatchObject({ kind: 'done', verified: true });
    expect(await bench.effect(id)).toMatchObject({ attempts: 0 });
    appliedOnce(bench, key);
  });
});

describe('a FileMaker that refuses', () => {
  test('a forgotten session (952) is replaced at once, the first time', async () => {
    const bench = await setup();
    await bench.settle(await bench.plan());
    await bench.control('/sessions', undefined, 'DELETE');
    const id = await bench.plan();
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'FILEMAKER_INVALID_TOKEN', afterMs: 1 });
    expect(await bench.turn(id)).toMatchObject({ kind: 'done' });
    expect(bench.simulator.books.applied.get(String((await bench.effect(id)).key))).toBe(1);
  });

  test('sessions that are forgotten again and again are opened ever more rarely', async () => {
    const bench = await setup();
    await bench.trouble({ kind: 'refuse', on: ['script'], code: 952, times: null });
    const id = await bench.plan();
    const waits: number[] = [];
    for (let turns = 0; turns < 4; turns += 1) {
      const ending = await bench.turn(id);
      if (ending.kind !== 'refused') throw new Error(`ended as ${ending.kind}`);
      waits.push(ending.afterMs);
    }
    expect(waits).toEqual([1, 1_000, 2_000, 4_000]);
  });

  test('wrong credentials (212) halt, the effect keeps its place, and nobody logs in again', async () => {
    const bench = await setup({ password: 'wrong' });
    const id = await bench.plan();
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'POOL_HALTED' });
    const logins = bench.simulator.books.logins.length;
    for (let turns = 0; turns < 3; turns += 1) await bench.turn(id);
    expect((await bench.scopesClosed())[0]).toMatch(/^halt filemaker /);
    await expect(bench.pool.lease({ waitMs: 100 })).rejects.toMatchObject({ code: 'POOL_HALTED' });
    expect([logins, bench.simulator.books.logins.length]).toEqual([1, 1]);
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', attempts: 0, refusals: 0 });
  });

  test.each<[string, { script?: string; layout?: string }, string]>([
    ['script', { script: 'NO_SUCH_SCRIPT' }, 'FILEMAKER_SCRIPT_MISSING'],
    ['layout', { layout: 'no_such_layout' }, 'FILEMAKER_LAYOUT_MISSING'],
  ])('a missing %s halts that script only, and costs its effect nothing', async (_what, target, code) => {
    const bench = await setup();
    const id = await bench.plan(target);
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code });
    const script = target.script ?? SCRIPT;
    expect(await bench.scopesClosed()).toEqual([`halt script:${script} ${code}`]);
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code });
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', refusals: 0 });
  });

  test('a file that is closed opens the circuit; a probe finds it closed, then open, and the effect runs once', async () => {
    const bench = await setup();
    await bench.settle(await bench.plan());
    const id = await bench.plan();
    const { look } = createFileMakerProbe({ client: bench.client, pool: bench.pool, leaseWaitMs: 15_000 });
    await bench.control('/databases/Shop/close', { code: '802' });
    for (let turns = 0; turns < 20 && (await bench.scopesClosed()).length === 0; turns += 1) await bench.turn(id);
    expect(await bench.scopesClosed()).toEqual(['circuit filemaker PEER_AWAY']);
    await expect(look()).rejects.toThrow();
    await bench.control('/databases/Shop/open', {});
    await look();
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
    expect(bench.simulator.books.applied.get(String((await bench.effect(id)).key))).toBe(1);
  });

  test('a server whose web tier answers 502 opens the circuit without counting sessions that were never opened', async () => {
    const bench = await setup();
    const id = await bench.plan();
    await bench.trouble({ kind: 'html', on: ['login'], httpStatus: 502, times: null });
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'POOL_UNAVAILABLE' });
    expect(await bench.scopesClosed()).toEqual(['circuit filemaker PEER_AWAY']);
    const { cap: _cap, effectiveCap: _effective, ...states } = await bench.pool.census();
    expect(Object.values(states).reduce((sum, count) => sum + count, 0)).toBe(0);
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', attempts: 0, refusals: 0 });
  });

  test('a server at its capacity (812) makes the effect wait without cost', async () => {
    const bench = await setup({ simulator: { sessionsMax: 0 }, leaseWaitMs: 500 });
    const id = await bench.plan();
    const ending = await bench.turn(id);
    expect(ending).toMatchObject({ kind: 'waiting', code: expect.stringMatching(/^POOL_(CAPACITY|BUSY)$/) });
    expect(await bench.scopesClosed()).toEqual([]);
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', attempts: 0, refusals: 0 });
  });
});

describe('the hand-off', () => {
  const HANDOFF = { transport: 'handoff', handoffLayout: 'bridge_handoff' } as const;
  const records = async (bench: Bench) =>
    (
      (await bench.control('/databases/Shop/tables/handoff/records', undefined, 'GET')) as {
        records: { fields: Record<string, string> }[];
      }
    ).records;

  test('the payload goes as a record, byte for byte, and the script runs in the same call', async () => {
    const bench = await setup();
    const id = await bench.plan(HANDOFF);
    expect(await bench.turn(id)).toMatchObject({ kind: 'done', verified: true });
    const { body, key } = await bench.effect(id);
    expect((await records(bench)).map(({ fields }) => fields.payload)).toEqual([String(body)]);
    expect(bench.simulator.books.runs).toMatchObject([{ transport: 'handoff', payload: String(body) }]);
    appliedOnce(bench, key);
  });

  test('a record that was made before its answer got lost is found, not made again', async () => {
    const bench = await setup();
    const id = await bench.plan(HANDOFF);
    const { key, body } = await bench.effect(id);
    await bench.control('/locks', { invoice: INVOICE });
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'SCRIPT_RECORD_LOCKED_301' });
    await bench.control('/locks', undefined, 'DELETE');
    await bench.trouble({ ...CUT, when: 'before' });
    expect(await bench.turn(id)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
    expect((await records(bench)).map(({ fields }) => [fields.idempotency_key, fields.payload])).toEqual([
      [key, String(body)],
    ]);
    appliedOnce(bench, key);
  });

  test('a create whose answer is lost after everything was committed is proved by the log and not repeated', async () => {
    const bench = await setup();
    const id = await bench.plan(HANDOFF);
    await bench.trouble({ kind: 'cut', on: ['create'], when: 'after' });
    expect(await bench.turn(id)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(id)).toMatchObject({ kind: 'done' });
    expect(await records(bench)).toHaveLength(1);
    expect((await bench.effect(id)).attempts).toBe(1);
  });

  test('a record that holds the invoice from before a correction is never run; the effect names the record to delete and the command that goes on', async () => {
    const bench = await setup();
    const id = await bench.plan(HANDOFF);
    const { key } = await bench.effect(id);
    await bench.control('/locks', { invoice: INVOICE });
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'SCRIPT_RECORD_LOCKED_301' });
    await bench.control('/locks', undefined, 'DELETE');
    await bench.database.executor.execute(
      `update effects.effects set body = convert_to(replace(convert_from(body, 'UTF8'), '"${INVOICE}"', '"18699"'), 'UTF8'),
         subject = subject || '{"corrected": {"attempts": 1}}' where id = ${id}`,
    );
    expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'HANDOFF_OLD' });
    const { rows } = await bench.database.executor.execute(`select reason from effects.effects where id = ${id}`);
    for (const said of [
      'bridge_handoff',
      `idempotency_key is ${key}`,
      `./bridge effects resolve ${id} --as again --why`,
    ])
      expect(rows[0]?.reason).toContain(said);
    // One run, the one that was refused: neither number was applied.
    expect(bench.simulator.books.runs.map(({ effectApplied }) => effectApplied)).toEqual([false]);
  });

  test('a look for the record that fails sent nothing, so the effect just waits', async () => {
    const bench = await setup({ ...PLAIN_SCRIPT, timeoutMs: HELD_MS });
    const id = await bench.plan({ ...HANDOFF, contract: 'plain', log: null });
    await bench.database.executor.execute(`update effects.effects set attempts = 1 where id = ${id}`);
    await bench.trouble({ kind: 'hang', on: ['find'], when: 'before' });
    const ending = await bench.turn(id);
    expect(ending).toMatchObject({ kind: 'refused', code: 'FILEMAKER_UNAVAILABLE' });
    expect(await bench.effect(id)).toMatchObject({ state: 'planned' });
    expect(bench.simulator.books.runs).toHaveLength(0);
  });
});

describe('a script that nobody may change', () => {
  const plain = { contract: 'plain', log: null } as const;
  const bySession = (id: string) => ({ layout: 'web_invoices', field: 'stripe_session_id', value: id, proves: true });

  test('without a probe: no error is done, counted as unverified; a lost answer waits for a person', async () => {
    const bench = await setup(PLAIN_SCRIPT);
    const id = await bench.plan(plain);
    expect(await bench.turn(id)).toMatchObject({ kind: 'done', verified: false });
    const lost = await bench.plan(plain);
    await bench.trouble({ ...CUT, when: 'after' });
    expect(await bench.turn(lost)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(lost)).toMatchObject({ kind: 'parked', code: 'CANNOT_BE_ASKED' });
    expect(bench.simulator.books.runs).toHaveLength(2);
  });

  test('an error of the script may have left half of its work: it is never just sent again', async () => {
    const bench = await setup(PLAIN_SCRIPT);
    const id = await bench.plan(plain);
    await bench.trouble({ kind: 'script-error', on: ['run'], code: 301 });
    expect(await bench.turn(id)).toMatchObject({ kind: 'unknown', code: 'SCRIPT_ERROR_301' });
    expect(await bench.settle(id)).toMatchObject({ kind: 'parked', code: 'CANNOT_BE_ASKED' });
  });

  test("a probe that holds this Session's id proves the run, also after a lost answer", async () => {
    const bench = await setup(PLAIN_SCRIPT);
    const sessionOf = async (id: string) =>
      JSON.parse(String((await bench.effect(id)).body)).checkout_session_id as string;
    const aim = async (id: string) => {
      const { target } = await bench.effect(id);
      const aimed = JSON.stringify({ ...(target as object), probe: bySession(await sessionOf(id)) });
      await bench.database.executor.execute(`update effects.effects set target = '${aimed}'::jsonb where id = ${id}`);
      return id;
    };
    expect(await bench.turn(await aim(await bench.plan(plain)))).toMatchObject({ kind: 'done', verified: true });
    const lost = await aim(await bench.plan(plain));
    await bench.trouble({ ...CUT, when: 'after' });
    expect(await bench.turn(lost)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(lost)).toMatchObject({ kind: 'done', verified: true });
    const never = await aim(await bench.plan(plain));
    await bench.trouble({ ...CUT, when: 'before' });
    await bench.turn(never);
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(never)).toMatchObject({ kind: 'parked', code: 'PROBE_FOUND_NOTHING' });
    expect(bench.simulator.books.runs).toHaveLength(2);
  });

  test('a probe that finds only the invoice proves nothing after a lost answer', async () => {
    const bench = await setup(PLAIN_SCRIPT);
    const probe = { layout: 'web_invoices', field: 'invoice_id', value: INVOICE, proves: false };
    expect(await bench.turn(await bench.plan({ ...plain, probe }))).toMatchObject({ kind: 'done', verified: false });
    const lost = await bench.plan({ ...plain, probe });
    await bench.trouble({ ...CUT, when: 'after' });
    await bench.turn(lost);
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.settle(lost)).toMatchObject({ kind: 'parked', code: 'PROBE_CANNOT_PROVE' });
  });

  test('a plain script that is still at work is not given up on', async () => {
    const bench = await setup({
      simulator: { ...PLAIN_SCRIPT.simulator, holdScripts: 'before-commit' },
      timeoutMs: HELD_MS,
    });
    const probe = { layout: 'web_invoices', field: 'stripe_session_id', value: 'not yet', proves: true };
    const id = await bench.plan({ ...plain, probe });
    expect(await bench.turn(id)).toMatchObject({ kind: 'unknown' });
    await bench.gates.closeCircuit('filemaker');
    expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'SCRIPT_STILL_RUNNING' });
    await bench.control('/settings', { holdScripts: 'none' });
  });
});

describe('before the first byte', () => {
  test('a lease that was lost sends nothing and costs nothing', async () => {
    const bench = await setup({ pool: (pool) => ({ ...bind(pool), stillMine: async () => false }) });
    const id = await bench.plan();
    expect(await bench.turn(id)).toMatchObject({ kind: 'refused', code: 'LEASE_LOST' });
    expect(await bench.effect(id)).toMatchObject({ state: 'planned', refusals: 0, claimed_by: null });
    expect(bench.simulator.books.runs).toHaveLength(0);
  });

  test('a claim that is lost while the session is leased sends nothing and gives the session back', async () => {
    let steal: () => Promise<unknown> = async () => undefined;
    const bench = await setup({
      pool: (pool) => ({
        ...bind(pool),
        lease: async (request) => {
          const lease = await pool.lease(request);
          await steal();
          return lease;
        },
      }),
    });
    const id = await bench.plan();
    steal = () =>
      bench.database.executor.execute(
        `update effects.effects set claim_no = nextval('claims.claim_no') where id = ${id}`,
      );
    expect(await bench.turn(id)).toEqual({ kind: 'nothing', because: 'the claim was lost' });
    expect(bench.simulator.books.runs).toHaveLength(0);
    expect(await bench.pool.census()).toMatchObject({ idle: 1, leased: 0, quarantined: 0 });
  });

  test('a first sending that comes late looks at the money again', async () => {
    const asked: string[] = [];
    const bench = await setup({
      recheckCharge: async (charge) => {
        asked.push(charge);
        return { kind: 'park', code: 'payment-refunded', message: 'refunded before its script could run' };
      },
    });
    const id = await bench.plan({}, { subject: { chargeId: 'ch_1' } });
    await bench.database.executor.execute(
      `update effects.effects set planned_at = planned_at - interval '11 minutes' where id = ${id}`,
    );
    expect(await bench.turn(id)).toMatchObject({ kind: 'parked', code: 'payment-refunded' });
    expect([asked, bench.simulator.books.runs.length]).toEqual([['ch_1'], 0]);
  });

  test('a Redis that is away makes the effect wait, and it runs once after its return', async () => {
    const bench = await setup();
    const id = await bench.plan();
    await bench.redis.stop();
    try {
      expect(await bench.turn(id)).toMatchObject({ kind: 'waiting', code: 'POOL_REDIS_DOWN' });
    } finally {
      await bench.redis.start();
    }
    expect(await bench.settle(id, 50)).toMatchObject({ kind: 'done' });
    appliedOnce(bench, (await bench.effect(id)).key);
  });
});

/** The pool's methods live on its prototype; a spread alone would lose them. */
function bind(pool: Bench['pool']): Bench['pool'] {
  return {
    start: () => pool.start(),
    stop: (how) => pool.stop(how),
    lease: (request) => pool.lease(request),
    stillMine: (lease) => pool.stillMine(lease),
    giveBack: (lease, how) => pool.giveBack(lease, how),
    ask: (sessionId, fence) => pool.ask(sessionId, fence),
    flushEpoch: (seenEpoch) => pool.flushEpoch(seenEpoch),
    keep: () => pool.keep(),
    census: () => pool.census(),
  };
}
