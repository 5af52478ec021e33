import { fingerprint } from '@bridge/installation';
import type { StripeRead, WebhookEndpoint } from '@bridge/stripe-client';
import { judgeClock, readClock } from './clock';
import { type ConfigurationFacts, judgeConfiguration } from './configuration';
import { planEndpointFix } from './endpoint-fix';
import { FAULT_CODES, fault } from './fault';
import { judgePostgresql, type PostgresqlFacts } from './postgresql';
import { judgeRedis, type RedisFacts } from './redis';
import { composeReport, lookWithin } from './report';
import { judgeSoundness } from './soundness';
import { judgeStripeKey, neededReads, type StripeKeyFacts } from './stripe-key';
import { judgeWebhook, MARK, pickOurs, type WebhookFacts } from './webhook-endpoint';
import { judgeWork, roundsExpected, type WorkFacts } from './work';

const codes = ({ faults }: { faults: readonly { code: string }[] }): string[] => faults.map(({ code }) => code);
const at = new Date('2026-11-23T06:00:00Z');
const before = (seconds: number): Date => new Date(at.getTime() - seconds * 1_000);

describe('configuration', () => {
  const sound: ConfigurationFacts = {
    nodeVersion: '24.21.0',
    apps: ['ingress', 'worker', 'scheduler'],
    faults: [],
    files: [{ path: '/srv/.env', mode: 0o600, environment: true }],
  };

  test('sound settings for the owner alone have no fault', () => {
    expect(codes(judgeConfiguration(sound))).toEqual([]);
  });

  test.each([
    ['22.18.9', true],
    ['20.20.0', true],
    ['22.19.0', false],
    ['23.0.0', false],
    ['24.0.0', false],
  ])('Node %s is too old: %p', (nodeVersion, old) => {
    expect(codes(judgeConfiguration({ ...sound, nodeVersion }))).toEqual(old ? ['NODE_TOO_OLD'] : []);
  });

  test('every faulty variable is named, with the apps that it stops unless it stops all', () => {
    const judged = judgeConfiguration({
      ...sound,
      faults: [
        { variable: 'REDIS_URL', message: 'is missing', apps: ['ingress', 'worker', 'scheduler'] },
        { variable: 'FILEMAKER_URL', message: 'must begin with https://', apps: ['worker'] },
      ],
    });
    expect(judged.faults.map(({ what }) => what)).toEqual([
      'REDIS_URL is missing.',
      'FILEMAKER_URL must begin with https:// (worker).',
    ]);
  });

  test('a variable that only commands read stops no app and is named with its reader', () => {
    const faults = [{ variable: 'STRIPE_WEBHOOK_URL', message: 'is no address', apps: ['cli'] as const }];
    const one = judgeConfiguration({ ...sound, apps: ['ingress'], faults });
    expect(one.faults.map(({ what }) => what)).toEqual(['STRIPE_WEBHOOK_URL is no address (cli).']);
  });

  test('a fault hides the sections that need the variable, in whichever form it is named, and no other', () => {
    const { hindrance, hindranceBy } = judgeSoundness([
      'STRIPE_API_KEY_FILE',
      'BRIDGE_CONFIG: windows.0.to',
      'BRIDGE_CONFIG: invoices.facts.paid',
      'TIMEZONE',
    ]);
    expect(hindrance('stripe')).toBe('not looked at because of STRIPE_API_KEY: see Configuration');
    expect(hindrance('work')).toBe('not looked at because of BRIDGE_CONFIG: see Configuration');
    expect([hindrance('postgresql'), hindrance('redis'), hindranceBy('STRIPE_API_BASE')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.each([
    [0o640, ['ENV_FILE_OPEN']],
    [0o604, ['ENV_FILE_OPEN']],
    [0o620, []],
    [0o400, []],
  ])('.env with mode %o: %j', (mode, expected) => {
    expect(codes(judgeConfiguration({ ...sound, files: [{ path: '/srv/.env', mode, environment: true }] }))).toEqual(
      expected,
    );
  });

  test('a secret in a file of its own is a note, and where a platform mounts it nothing at all', () => {
    const file = (path: string) => [{ path, mode: 0o444, environment: false }];
    const [found] = judgeConfiguration({ ...sound, files: file('/etc/bridge/key') }).faults;
    expect(found).toMatchObject({ code: 'SECRET_FILE_OPEN', weight: 'note', about: '/etc/bridge/key' });
    for (const path of ['/run/secrets/key', '/var/run/secrets/stripe/key'])
      expect(codes(judgeConfiguration({ ...sound, files: file(path) }))).toEqual([]);
  });
});

describe('PostgreSQL', () => {
  const sound: PostgresqlFacts = {
    versionNumber: 160_004,
    version: '16.4',
    readOnly: false,
    synchronousCommit: 'on',
    migrations: { pending: [], newer: [], changed: null },
    connections: {
      most: 97,
      others: 3,
      used: { ingress: 4, worker: 8, scheduler: 2 },
      poolMax: { ingress: 10, worker: 5, scheduler: 5 },
      alive: { worker: 2, scheduler: 1 },
    },
  };
  const with_ = (change: Partial<PostgresqlFacts>): string[] => codes(judgePostgresql({ ...sound, ...change }));

  test('a sound server has no fault', () => expect(with_({})).toEqual([]));

  test.each<[Partial<PostgresqlFacts>, string]>([
    [{ versionNumber: 140_012, version: '14.12' }, 'POSTGRESQL_TOO_OLD'],
    [{ readOnly: true }, 'POSTGRESQL_READ_ONLY'],
    [{ synchronousCommit: 'off' }, 'COMMITS_NOT_SYNCED'],
    [{ migrations: { pending: ['inbox/0009-x.sql'], newer: [], changed: null } }, 'MIGRATIONS_PENDING'],
    [{ migrations: { pending: [], newer: ['inbox/0009-x.sql'], changed: null } }, 'MIGRATIONS_NEWER'],
    [{ migrations: { pending: [], newer: [], changed: 'edited' } }, 'MIGRATIONS_CHANGED'],
  ])('%j is %s', (change, code) => expect(with_(change)).toEqual([code]));

  test('version 15 is new enough, and a commit that waits for the local disk is safe', () => {
    expect(with_({ versionNumber: 150_000, synchronousCommit: 'local' })).toEqual([]);
  });

  test('pools of all processes together must fit beside the others', () => {
    const { connections } = sound;
    // 10 of the ingress, two workers of 5, one scheduler of 5, and others.
    expect(with_({ connections: { ...connections, most: 28, others: 3 } })).toEqual([]);
    expect(with_({ connections: { ...connections, most: 27, others: 3 } })).toEqual(['CONNECTIONS_SCARCE']);
    expect(with_({ connections: { ...connections, alive: { worker: 20, scheduler: 1 } } })).toEqual([
      'CONNECTIONS_SCARCE',
    ]);
  });

  test('ingress processes have no heartbeat: their connections tell how many they are', () => {
    const connections = { ...sound.connections, most: 60, used: { ingress: 31, worker: 8, scheduler: 2 } };
    expect(with_({ connections })).toEqual([]);
    expect(with_({ connections: { ...connections, used: { ...connections.used, ingress: 41 } } })).toEqual([
      'CONNECTIONS_SCARCE',
    ]);
  });
});

describe('Redis', () => {
  const sound = {
    reached: true,
    server: 'redis',
    version: '7.2.4',
    policy: 'noeviction',
    appendOnly: true,
    snapshots: false,
    usedBytes: 50_000_000,
    mostBytes: 100_000_000,
    replica: false,
    moved: null,
  } as const satisfies RedisFacts;

  test('a sound server has no fault', () => expect(codes(judgeRedis(sound))).toEqual([]));

  test.each<[Partial<typeof sound> | object, string]>([
    [{ version: '6.2.14' }, 'REDIS_TOO_OLD'],
    [{ server: 'valkey', version: '7.2.5' }, 'REDIS_TOO_OLD'],
    [{ policy: 'allkeys-lru' }, 'REDIS_EVICTS'],
    [{ policy: 'volatile-ttl' }, 'REDIS_EVICTS'],
    [{ replica: true }, 'REDIS_READ_ONLY'],
    [{ moved: 'MOVED' }, 'REDIS_OTHER_NODE'],
    [{ usedBytes: 80_000_001 }, 'REDIS_MEMORY_SHORT'],
    [{ appendOnly: false }, 'REDIS_FORGETS'],
  ])('%j is %s', (change, code) => {
    expect(codes(judgeRedis({ ...sound, ...change } as RedisFacts))).toEqual([code]);
  });

  test('no limit is never short, snapshots are persistence, and a policy that is not told is no fault', () => {
    const change = { mostBytes: 0, usedBytes: 9e9, appendOnly: false, snapshots: true, policy: null };
    expect(codes(judgeRedis({ ...sound, ...change }))).toEqual([]);
    expect(codes(judgeRedis({ ...sound, server: 'valkey', version: '8.0.0' }))).toEqual([]);
  });

  test('one that cannot be reached is told apart from one that refuses us', () => {
    expect(codes(judgeRedis({ reached: false, refused: false, because: 'ECONNREFUSED' }))).toEqual(['REDIS_AWAY']);
    expect(codes(judgeRedis({ reached: false, refused: true, because: 'NOAUTH' }))).toEqual(['REDIS_REFUSED']);
  });
});

describe('clocks', () => {
  const reading = (aheadMs: number, sureWithinMs = 500) => ({ whose: 'Stripe', aheadMs, sureWithinMs });

  test.each([
    [5_400, []],
    [-5_400, []],
    [5_600, ['CLOCK_DIFFERS']],
    [-5_600, ['CLOCK_DIFFERS']],
  ])('%i ms ahead, sure within half a second: %j', (aheadMs, expected) => {
    expect(codes(judgeClock([reading(aheadMs)]))).toEqual(expected);
  });

  test('what the way of a slow answer explains is no difference', () => {
    expect(codes(judgeClock([reading(9_000, 4_500)]))).toEqual([]);
  });

  test('the fault says whose clock, by how much and to which side', () => {
    expect(judgeClock([reading(-42_000), reading(0)]).faults[0]?.about).toBe('Stripe is 42 s behind');
  });

  test('a clock is read in the middle of the way, and a clock that is not told is no reading', async () => {
    jest.useFakeTimers();
    try {
      const ask = async () => {
        jest.advanceTimersByTime(300);
        const theirs = new Date(Date.now() + 60_000);
        jest.advanceTimersByTime(300);
        return theirs;
      };
      // Told in whole seconds, so on average half of one more.
      expect(await readClock('X', ask, 1_000)).toEqual({ whose: 'X', aheadMs: 60_500, sureWithinMs: 800 });
    } finally {
      jest.useRealTimers();
    }
    expect(await readClock('X', async () => null, 1)).toBeNull();
  });
});

describe('Stripe key', () => {
  const flows = [{ name: 'invoices', wants: ['checkout.session.completed', 'refund.created'] }];
  const sound: StripeKeyFacts = {
    livemode: true,
    unrestricted: false,
    production: true,
    failed: null,
    account: { id: 'acct_1' },
    stored: fingerprint('acct_1', 'live'),
    reads: [{ kind: 'refunds', outcome: 'allowed', permission: null }],
    needed: neededReads(flows),
  };
  const with_ = (change: Partial<StripeKeyFacts>): string[] => codes(judgeStripeKey({ ...sound, ...change }));
  const missing = (kind: StripeRead) => ({ reads: [{ kind, outcome: 'missing', permission: null } as const] });

  test('a sound key has no fault', () => {
    expect(with_({})).toEqual([]);
    expect(with_({ stored: null })).toEqual([]);
  });

  test('what a flow reads follows from the events that it wants', () => {
    expect([...neededReads(flows).keys()].sort()).toEqual([
      'charges',
      'checkout_sessions',
      'events',
      'payment_intents',
      'products',
      'refunds',
    ]);
    expect(neededReads([]).size).toBe(0);
    const both = [...flows, { name: 'bookings', wants: ['payment_intent.succeeded'] }];
    expect(neededReads(both).get('payment_intents')).toEqual(['invoices', 'bookings']);
    expect(neededReads(both).get('refunds')).toEqual(['invoices']);
  });

  test.each<[Partial<StripeKeyFacts>, string]>([
    [{ failed: { refused: true, because: 'HTTP 401' } }, 'STRIPE_KEY_REFUSED'],
    [{ failed: { refused: false, because: 'ECONNREFUSED' } }, 'STRIPE_AWAY'],
    [{ account: { id: 'acct_2' } }, 'STRIPE_OTHER_ACCOUNT'],
    [{ stored: fingerprint('acct_1', 'test') }, 'STRIPE_OTHER_MODE'],
    [{ account: null }, 'STRIPE_ACCOUNT_UNTOLD'],
    [missing('refunds'), 'STRIPE_READ_MISSING'],
    [missing('shipping_rates'), 'STRIPE_READ_WANTED'],
    [missing('webhook_endpoints'), 'STRIPE_READ_WANTED'],
    [{ unrestricted: true }, 'STRIPE_KEY_UNRESTRICTED'],
    [{ reads: [{ kind: 'charges', outcome: 'untold', permission: null }] }, 'CHECK_NOT_ANSWERED'],
  ])('%j is %s', (change, code) => expect(with_(change)).toEqual([code]));

  test('a test key in production is noted; elsewhere it is what one expects', () => {
    const test_ = { livemode: false, unrestricted: true, stored: null };
    expect(with_(test_)).toEqual(['STRIPE_TEST_KEY_IN_PRODUCTION']);
    expect(with_({ ...test_, production: false })).toEqual([]);
  });

  test('a missing permission is named as the dashboard and as Stripe name it, with the flow that needs it', () => {
    const reads = [{ kind: 'checkout_sessions', outcome: 'missing', permission: 'rak_checkout_session_read' } as const];
    expect(judgeStripeKey({ ...sound, reads }).faults[0]?.what).toBe(
      'The key may not read Checkout Sessions (rak_checkout_session_read), which the flow invoices needs.',
    );
  });
});

describe('webhook endpoint', () => {
  const wants = ['checkout.session.completed', 'refund.created'];
  const ours: WebhookEndpoint = {
    id: 'we_1',
    url: 'https://pay.example.com/webhooks/stripe',
    status: 'enabled',
    enabledEvents: [...wants],
    apiVersion: '2026-10-28.endive',
    metadata: {},
  };
  const look = { outcome: 'answered', status: 405, location: null, date: null, tookMs: 3, cause: null } as const;
  const sound: WebhookFacts = {
    delivery: 'webhook',
    wants,
    observe: false,
    installationId: 'abc',
    url: undefined,
    endpoints: [ours],
    look,
    pending: [],
    wronglySigned: 0,
    fetchedAt: null,
    pullSeconds: 60,
    at,
  };
  const with_ = (change: Partial<WebhookFacts>): string[] => codes(judgeWebhook({ ...sound, ...change }));
  const endpoint = (change: Partial<WebhookEndpoint>) => ({ endpoints: [{ ...ours, ...change }] });
  const other = { ...ours, id: 'we_2', url: 'https://old.example.com/hook' };

  test('a sound endpoint has no fault', () => expect(with_({})).toEqual([]));

  test.each<[Partial<WebhookFacts>, string[]]>([
    [{ endpoints: [] }, ['ENDPOINT_MISSING']],
    [{ url: 'https://pay.example.com/other' }, ['ENDPOINT_MISSING']],
    [{ endpoints: [ours, { ...ours, id: 'we_2', url: 'https://b.example/webhooks/stripe' }] }, ['ENDPOINT_AMBIGUOUS']],
    [endpoint({ status: 'disabled' }), ['ENDPOINT_DISABLED']],
    [endpoint({ enabledEvents: ['refund.created'] }), ['ENDPOINT_TYPES_MISSING']],
    [endpoint({ enabledEvents: [...wants, 'charge.updated'] }), ['ENDPOINT_TYPES_UNNEEDED']],
    [endpoint({ enabledEvents: ['*'] }), ['ENDPOINT_TYPES_UNNEEDED']],
    [endpoint({ apiVersion: '2020-08-27' }), ['ENDPOINT_VERSION_OLD']],
    [endpoint({ apiVersion: null }), []],
    [endpoint({ metadata: { [MARK]: 'abc' } }), []],
    [{ ...endpoint({ metadata: { [MARK]: 'xyz' } }), url: ours.url }, ['ENDPOINT_OF_OTHER_BRIDGE']],
    // A database that was set up anew behind an endpoint that brings its webhooks: not "there is none".
    [endpoint({ metadata: { [MARK]: 'xyz' } }), ['ENDPOINT_OF_OTHER_BRIDGE']],
    [{ endpoints: [{ ...other, metadata: { [MARK]: 'xyz' } }] }, ['ENDPOINT_MISSING']],
    [{ endpoints: [ours, { ...ours, id: 'we_2', metadata: { [MARK]: 'xyz' } }] }, ['ENDPOINT_NOT_ALONE']],
    [{ endpoints: [ours, other] }, ['ENDPOINT_NOT_ALONE']],
    [{ endpoints: [ours, { ...other, enabledEvents: ['*'] }] }, ['ENDPOINT_NOT_ALONE']],
    [{ endpoints: [ours, { ...other, status: 'disabled' }] }, []],
    [{ endpoints: [ours, { ...other, enabledEvents: ['charge.updated'] }] }, []],
    [{ look: { ...look, status: 301, location: 'https://www.pay.example.com/' } }, ['ENDPOINT_REDIRECTS']],
    [{ look: { ...look, status: 502 } }, ['ENDPOINT_NOT_OURS']],
    [{ look: { ...look, status: 200 } }, ['ENDPOINT_NOT_OURS']],
    [{ look: { ...look, outcome: 'certificate', cause: 'CERT_HAS_EXPIRED' } }, ['ENDPOINT_CERTIFICATE']],
    [{ look: { ...look, outcome: 'unreachable', cause: 'ECONNREFUSED' } }, ['ENDPOINT_UNREACHABLE']],
    [{ pending: [{ eventId: 'evt_1', createdAt: before(600) }] }, ['DELIVERIES_PENDING']],
    // A scanner may try once or twice; a wrong secret refuses every webhook.
    [{ wronglySigned: 2 }, []],
    [{ wronglySigned: 3 }, ['SIGNATURES_REFUSED']],
    [{ endpoints: null }, []],
  ])('%j: %j', (change, expected) => expect(with_(change)).toEqual(expected));

  test('ours is the one at the given address, else the marked one, else the only one with our path', () => {
    const marked = { ...ours, id: 'we_3', url: 'https://c.example/hook', metadata: { [MARK]: 'abc' } };
    const idOf = (endpoints: WebhookEndpoint[], url?: string) => {
      const picked = pickOurs(endpoints, { url, installationId: 'abc' });
      return picked.kind === 'ours' ? picked.endpoint.id : picked.kind;
    };
    expect(idOf([ours, marked, other])).toBe('we_3');
    expect(idOf([ours, marked, other], other.url)).toBe('we_2');
    expect(idOf([ours, other])).toBe('we_1');
    expect(idOf([ours], 'https://PAY.example.com:443/webhooks/stripe')).toBe('we_1');
    // A leftover that is switched off does not make it ambiguous.
    expect(idOf([ours, { ...ours, id: 'we_9', status: 'disabled' }], ours.url)).toBe('we_1');
    expect(idOf([{ ...ours, status: 'disabled' }], ours.url)).toBe('we_1');
  });

  test('beside a bridge that only observes, another handler is expected: a note', () => {
    const [found] = judgeWebhook({ ...sound, endpoints: [ours, other], observe: true }).faults;
    expect(found).toMatchObject({ code: 'ENDPOINT_NOT_ALONE', weight: 'note' });
  });

  test('pull needs no endpoint, and a fetch that comes to its end', () => {
    const pull = { delivery: 'pull', endpoints: [] } as const;
    expect(with_({ ...pull, fetchedAt: before(60) })).toEqual([]);
    expect(with_({ ...pull, fetchedAt: before(299) })).toEqual([]);
    expect(with_({ ...pull, fetchedAt: before(301) })).toEqual(['PULL_LATE']);
    expect(with_({ ...pull, fetchedAt: null })).toEqual(['PULL_LATE']);
    expect(with_({ ...pull, fetchedAt: before(301), pullSeconds: 300 })).toEqual([]);
    expect(with_({ ...pull, fetchedAt: before(1), endpoints: [other] })).toEqual(['ENDPOINT_NOT_ALONE']);
  });

  describe('--fix', () => {
    const plan = (endpoints: WebhookEndpoint[], url?: string) =>
      planEndpointFix(endpoints, { wants, url, installationId: 'abc' });

    test('plans nothing for a sound endpoint, and nothing where it does not know which is ours', () => {
      expect(plan([ours])).toBeNull();
      expect(plan([])).toBeNull();
      expect(plan([{ ...ours, metadata: { [MARK]: 'xyz' }, status: 'disabled' }], ours.url)).toBeNull();
      expect(plan([ours, { ...ours, id: 'we_2', url: 'https://b.example/webhooks/stripe' }])).toBeNull();
    });

    test('switches on, adds what is missing, takes away what nobody wants, and marks', () => {
      const wrong = { ...ours, status: 'disabled', enabledEvents: ['refund.created', 'charge.updated'] } as const;
      expect(plan([{ ...wrong, enabledEvents: [...wrong.enabledEvents] }])).toEqual({
        endpointId: 'we_1',
        url: ours.url,
        enable: true,
        add: ['checkout.session.completed'],
        remove: ['charge.updated'],
        enabledEvents: wants,
        mark: { name: MARK, value: 'abc' },
      });
      expect(plan([{ ...ours, enabledEvents: ['*'] }])).toMatchObject({ enable: false, add: wants, remove: ['*'] });
    });
  });
});

describe('processes and schedules', () => {
  const alive = (app: string, seconds = 86_400) => ({ app, startedAt: before(seconds) });
  const sound: WorkFacts = {
    living: [alive('worker'), alive('scheduler')],
    closures: [],
    oldestUnfinishedSeconds: 3,
    parked: { effects: 0, events: 0 },
    expected: [{ id: 'reconcile-invoices-recent', everyMs: null }],
    schedules: [{ id: 'reconcile-invoices-recent', nextAt: new Date(at.getTime() + 60_000), everyMs: 300_000 }],
    succeeded: [{ schedule: 'reconcile-invoices-recent', succeededAt: before(120) }],
    failedJobs: [{ queue: 'reconciliations', count: 0 }],
    at,
  };
  const with_ = (change: Partial<WorkFacts>): string[] => codes(judgeWork({ ...sound, ...change }));
  const schedule = (change: object) => ({ schedules: sound.schedules?.map((one) => ({ ...one, ...change })) ?? null });
  const closure = (kind: 'halt' | 'pause' | 'circuit' | 'window', cause = 'X') => ({
    closures: [{ scope: 'script:SHIP', kind, cause, detail: 'seen', by: 'ada', since: before(60) }],
  });

  test('a bridge at work has no fault', () => expect(with_({})).toEqual([]));

  test.each<[Partial<WorkFacts>, string[]]>([
    [{ living: [alive('scheduler')] }, ['WORKER_MISSING']],
    [{ living: [alive('worker')] }, ['SCHEDULER_MISSING']],
    [closure('halt'), ['HALTED']],
    [closure('pause'), ['PAUSED']],
    [closure('circuit'), ['PEER_AWAY']],
    [closure('window'), []],
    [{ oldestUnfinishedSeconds: 601 }, ['WORK_LATE']],
    [{ oldestUnfinishedSeconds: 601, ...closure('circuit') }, ['PEER_AWAY']],
    [{ parked: { effects: 1, events: 2 } }, ['PEOPLE_WAITED_FOR']],
    [{ schedules: [] }, ['SCHEDULES_MISSING']],
    [{ schedules: null }, []],
    [schedule({ nextAt: before(121) }), ['SCHEDULE_STUCK']],
    [schedule({ nextAt: before(119) }), []],
    [{ succeeded: [{ schedule: 'reconcile-invoices-recent', succeededAt: before(901) }] }, ['SCHEDULE_LATE']],
    [{ succeeded: [] }, ['SCHEDULE_LATE']],
    [{ succeeded: [], living: [alive('worker', 600), alive('scheduler')] }, []],
    [{ succeeded: [], ...schedule({ everyMs: null }) }, []],
    [{ failedJobs: [{ queue: 'reconciliations', count: 2 }] }, ['JOBS_FAILED']],
  ])('%j: %j', (change, expected) => expect(with_(change)).toEqual(expected));

  test('a halt says what to mend and the command that ends it', () => {
    const [found] = judgeWork({ ...sound, ...closure('halt', 'FILEMAKER_SCRIPT_MISSING') }).faults;
    expect(found?.todo).toMatch(/^Give the file a script .* Then: \.\/bridge resume script SHIP --why "…"$/);
  });

  test('every schedule that is expected must be there; what else is there is not our affair', () => {
    const named = (...ids: string[]) => ({ schedules: ids.map((id) => ({ id, nextAt: null, everyMs: null })) });
    const ids = ['reconcile-invoices-recent', 'reconcile-invoices-nightly'];
    const expected = ids.map((id) => ({ id, everyMs: null }));
    expect(with_({ expected, ...named(...ids, 'another') })).toEqual([]);
    const judged = judgeWork({ ...sound, expected, ...named('reconcile-invoices-recent') });
    expect(judged.faults).toMatchObject([{ code: 'SCHEDULES_MISSING', about: 'reconcile-invoices-nightly' }]);
    expect(with_({ expected: [], ...named() })).toEqual([]);
  });

  test.each([
    ['live', ['fetch-events', 'close-day', 'erase-bodies']],
    ['observe', ['fetch-events', 'close-day', 'erase-bodies', 'compare-observed']],
  ] as const)('%s: each round of the bridge itself is missed by its name', (mode, ids) => {
    const expected = roundsExpected(mode);
    expect(expected.map(({ id }) => id)).toEqual(ids);
    for (const gone of ids) {
      const seen = ids.filter((id) => id !== gone).map((id) => ({ id, nextAt: null, everyMs: null }));
      const succeeded = ids.map((schedule) => ({ schedule, succeededAt: before(10) }));
      const { faults } = judgeWork({ ...sound, expected, schedules: seen, succeeded });
      expect(faults).toMatchObject([{ code: 'SCHEDULES_MISSING', about: gone }]);
    }
  });

  const HOURS = 3_600;
  test.each([
    ['came last night', 20 * HOURS, 86_400, []],
    ['one night was missed', 49 * HOURS, 86_400, []],
    ['two nights were missed', 51 * HOURS, 86_400, ['SCHEDULE_LATE']],
    ['nights are missed, and the workers are restarted each day', 240 * HOURS, 3 * HOURS, ['SCHEDULE_LATE']],
    ['the bridge stood still, and has just been started: it is made up', 240 * HOURS, 1 * HOURS, []],
    ['it has never come, and the workers are new', null, 40 * HOURS, []],
    ['it has never come, and the workers are old', null, 51 * HOURS, ['SCHEDULE_LATE']],
  ] as const)('what comes once a day by a pattern: %s', (_case, seconds, workerSeconds, faults) => {
    const found = with_({
      living: [alive('worker', workerSeconds), alive('scheduler')],
      expected: roundsExpected('live').filter(({ id }) => id === 'erase-bodies'),
      schedules: [{ id: 'erase-bodies', nextAt: new Date(at.getTime() + 60_000), everyMs: null }],
      succeeded: seconds === null ? [] : [{ schedule: 'erase-bodies', succeededAt: before(seconds) }],
    });
    expect(found).toEqual(faults);
  });
});

describe('the report', () => {
  test('a section that does not answer in time, or throws, is a fault of its own and hides no other', async () => {
    const never = await lookWithin(20, () => new Promise(() => undefined));
    expect(never).toMatchObject({ faults: [{ code: 'CHECK_NOT_ANSWERED' }] });
    const thrown = await lookWithin(1_000, async () => {
      throw new Error('postgresql://user:pass@host is gone');
    });
    expect(JSON.stringify(thrown)).not.toContain('pass');
    expect(thrown).toMatchObject({ faults: [{ code: 'CHECK_NOT_ANSWERED', about: 'Error' }] });
  });

  test('notes alone leave it fine, one broken thing does not, and every fault knows its section and page', () => {
    const compose = (...found: ReturnType<typeof fault>[]) =>
      composeReport({
        at,
        version: '1.0.0',
        looked: new Map([['redis', { detail: 'x', faults: found }]]),
        fix: null,
        runbookOf: (code) => (code === 'REDIS_FORGETS' ? 'redis' : undefined),
      });
    const noted = compose(fault('REDIS_FORGETS'));
    expect(noted.fine).toBe(true);
    expect(noted.faults).toMatchObject([{ section: 'redis', runbook: 'redis' }]);
    expect(noted.sections.map(({ outcome }) => outcome)).toEqual(expect.arrayContaining(['found', 'not-checked']));
    expect(compose(fault('REDIS_FORGETS'), fault('REDIS_EVICTS', 'allkeys-lru'))).toMatchObject({ fine: false });
    expect(compose()).toMatchObject({ fine: true, faults: [] });
  });

  test('every fault says what it is, why it matters and what to do, in whole sentences', () => {
    expect(FAULT_CODES.length).toBeGreaterThan(50);
    for (const code of FAULT_CODES) {
      const { what, why, todo } = fault(code, 'SOMETHING');
      for (const text of [what, why, todo]) expect(`${code}: ${text}`).toMatch(/: .{8,}/);
      expect(`${what} ${why} ${todo}`).not.toMatch(/\{about\}|undefined/);
      expect([code, /[.:!"]$|chmod|bridge/.test(todo)]).toEqual([code, true]);
    }
  });
});
