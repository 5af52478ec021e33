import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RedisService, startRedis } from '@bridge/test-services';
import { type Bench, startBench } from '../tests/control-room-bench';
import { createQueueBoard } from './queue-board';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

/** What the board would do if we let it; each line is a button or a form of its pages. */
const WRITES = [
  'PATCH /api/queues/:queueName/:jobId/delay',
  'PATCH /api/queues/:queueName/:jobId/priority',
  'PATCH /api/queues/:queueName/:jobId/update-data',
  'PATCH /api/queues/:queueName/job-schedulers/:schedulerId',
  'POST /api/queues/:queueName/add',
  'PUT /api/queues/:queueName/:jobId/clean',
  'PUT /api/queues/:queueName/:jobId/promote',
  'PUT /api/queues/:queueName/:jobId/remove-unprocessed-children',
  'PUT /api/queues/:queueName/clean/:queueStatus',
  'PUT /api/queues/:queueName/concurrency',
  'PUT /api/queues/:queueName/empty',
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/remove',
  'PUT /api/queues/:queueName/job-schedulers/:schedulerId/run',
  'PUT /api/queues/:queueName/obliterate',
  'PUT /api/queues/:queueName/pause',
  'PUT /api/queues/:queueName/promote',
  'PUT /api/queues/:queueName/rate-limit',
  'PUT /api/queues/:queueName/rate-limit/release',
  'PUT /api/queues/:queueName/resume',
  'PUT /api/queues/pause',
  'PUT /api/queues/resume',
];
/** These exist here in a meaning of our own, before the board's. */
const RETRIES = ['PUT /api/queues/:queueName/:jobId/retry', 'PUT /api/queues/:queueName/retry/:queueStatus'];
const OURS = ['PUT /api/queues/:queue/:job/retry', 'PUT /api/queues/:queue/retry/failed'];

let redis: RedisService;
let bench: Bench;
beforeAll(async () => {
  redis = await startRedis();
  bench = await startBench(redis);
});
afterAll(async () => {
  await bench?.stop();
  await redis.stop();
});

/** Every route that an express router, and whatever is mounted in it, answers. */
function routesIn(router: unknown): { method: string; path: string }[] {
  const stack = part(router, 'stack') ?? part(part(router, 'router'), 'stack');
  if (!Array.isArray(stack)) return [];
  return stack.flatMap((layer: unknown) => {
    const route = part(layer, 'route');
    if (route === undefined) return routesIn(part(layer, 'handle'));
    const methods = Object.keys(Object(part(route, 'methods')));
    return [part(route, 'path')]
      .flat()
      .flatMap((path) => methods.map((method) => ({ method: method.toUpperCase(), path: String(path) })));
  });
}
const part = (whole: unknown, name: string): unknown =>
  (typeof whole === 'object' && whole !== null) || typeof whole === 'function' ? Reflect.get(whole, name) : undefined;

const routes = () => routesIn(createQueueBoard(bench));
const fill = (route: string): string =>
  route
    .replace(/:queue(Name)?(?=\/|$)/, 'filemaker-effects')
    .replace(':queueStatus', 'failed')
    .replace(':schedulerId', 'reconcile-invoices')
    .replace(/:job(Id)?(?=\/|$)/, '1.0');
const split = (route: string): [string, string] => [route.split(' ')[0] ?? '', route.split(' ')[1] ?? ''];

test('the installed board has exactly the writing routes that we know of: an upgrade with a new one stops here', () => {
  const writing = routes()
    .filter(({ method }) => method !== 'GET' && method !== 'HEAD')
    .map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(writing)].sort()).toEqual([...WRITES, ...RETRIES, ...OURS].sort());
});

test('each of them but retry is refused in a plain sentence, in every spelling, and changes nothing', async () => {
  const cookie = await bench.login();
  await bench.parkedEffect('refused');
  await bench.failJobs();
  const spellings = (path: string): string[] => [path, `${path}/`, path.toUpperCase().replace('/API', '/api')];
  const tried = [...WRITES, 'PUT /api/queues/:queueName/retry/completed', 'DELETE /api/queues/:queueName'].flatMap(
    (route) => spellings(fill(split(route)[1])).map((path) => [split(route)[0], path] as const),
  );
  expect(tried.length).toBeGreaterThan(60);
  for (const [method, path] of tried) {
    const response = await bench.ask(`/queues${path}`, { method, cookie });
    expect([method, path, response.status, await response.json()]).toEqual([
      method,
      path,
      403,
      {
        code: 'BOARD_IS_READ_ONLY',
        error: 'Not possible here',
        message: expect.stringMatching(/^The queues are made from PostgreSQL.*Only "retry" is possible/),
      },
    ]);
  }
  expect(await bench.failed('filemaker-effects')).toEqual(['1.0']);
  const queue = bench.producer.queue('filemaker-effects');
  expect([
    await queue.isPaused(),
    await queue.getGlobalConcurrency(),
    await queue.getJobCountByTypes('waiting'),
  ]).toEqual([false, null, 0]);
});

test('every route that changes something asks where the request comes from, and then who asks', async () => {
  const cookie = await bench.login();
  const writing = [...WRITES, ...RETRIES]
    .map((route) => split(route))
    .map(([method, path]) => [method, `/queues${fill(path)}`]);
  for (const [method = '', path = ''] of [...writing, ['POST', '/logout'], ['POST', '/login']]) {
    for (const foreign of [
      { origin: 'https://evil.example' },
      { origin: null },
      { headers: { 'sec-fetch-site': 'cross-site' } },
    ]) {
      const response = await bench.ask(path, { method, cookie, ...foreign });
      expect([method, path, response.status]).toEqual([method, path, 403]);
      expect(await response.text()).toContain('did not come from a page of the console');
    }
    if (path.startsWith('/queues')) {
      const response = await bench.ask(path, { method });
      expect([method, path, response.status]).toEqual([method, path, 401]);
    }
  }
  // Still logged in: the foreign requests to log out did nothing.
  expect((await bench.ask('/queues/', { cookie })).status).toBe(200);
});

test('without a login nothing below /queues is shown: no page, no answer of the API, no script, style, picture or font', async () => {
  const folder = join(dirname(require.resolve('@bull-board/ui/package.json')), 'dist');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
  expect(files.length).toBeGreaterThan(10);
  const reading = routes().filter(({ method }) => method === 'GET');
  expect(reading.length).toBeGreaterThan(10);
  const cookie = await bench.login();
  for (const path of [...files, ...reading.map((route) => fill(route.path))]) {
    const response = await bench.ask(`/queues${path}`);
    expect([path, response.status]).toEqual([path, path.startsWith('/api/') ? 401 : 302]);
    expect((await response.text()).length).toBeLessThan(500);
  }
  // The same paths are there for somebody who is logged in, so that the answers above mean what they seem to.
  for (const path of [...files.filter((file) => file.startsWith('/static/')), '/', '/queue/stripe-events'])
    expect([path, (await bench.ask(`/queues${path}`, { cookie })).status]).toEqual([path, 200]);
});

test('the page of the board wears our style sheet, names no other host, and has no inline style that our policy would block', async () => {
  const cookie = await bench.login();
  for (const path of ['/queues/', '/queues/queue/filemaker-effects', '/queues/job-schedulers']) {
    const page = await (await bench.ask(path, { cookie })).text();
    expect(page).toContain('<link href="/assets/board.css" rel="stylesheet"></head>');
    expect(page.replace('http://www.w3.org', '')).not.toMatch(/https?:\/\//);
    expect(page).toContain('<div id="root"><p class="loading">Loading …</p></div>');
    expect(page).not.toMatch(/<style| style=/);
  }
  expect((await bench.ask('/assets/board.css')).headers.get('content-type')).toContain('text/css');
});
