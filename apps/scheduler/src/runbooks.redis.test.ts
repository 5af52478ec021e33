import { effectJob } from '@bridge/jobs';
import { listRunbooks } from '@bridge/operations';
import { type RedisService, startRedis } from '@bridge/test-services';
import { type Bench, startBench } from '../tests/control-room-bench';

// Real services; tens of seconds a test on a machine that is busy with other things.
jest.setTimeout(180_000);

let redis: RedisService;
let bench: Bench;
let cookie: string;

beforeAll(async () => {
  redis = await startRedis();
  bench = await startBench(redis);
  cookie = await bench.login();
});
afterAll(async () => {
  await bench.stop();
  await redis.stop();
});

test('runbooks are for those who are logged in', async () => {
  expect((await bench.ask('/runbooks')).headers.get('location')).toBe('/login?next=%2Frunbooks');
  const page = await bench.ask('/runbooks/redis');
  expect([page.status, page.headers.get('location')]).toEqual([302, '/login?next=%2Frunbooks%2Fredis']);
});

test('the list leads to every page, and every page answers', async () => {
  const list = await (await bench.ask('/runbooks', { cookie })).text();
  for (const { name, title } of listRunbooks()) {
    expect(list).toContain(`href="/runbooks/${name}"`);
    const page = await bench.ask(`/runbooks/${name}`, { cookie });
    expect([name, page.status]).toEqual([name, 200]);
    expect(await page.text()).toContain(`<title>${title.replaceAll("'", '&#39;')} · `);
  }
});

test('a code leads to its page and is named there; an unknown one is not there', async () => {
  const page = await (await bench.ask('/runbooks/SCRIPT_REFUSED_LOW_STOCK', { cookie })).text();
  expect(page).toContain('for <code>SCRIPT_REFUSED_LOW_STOCK</code>');
  expect(page).toContain('<h1>The FileMaker script says no</h1>');
  expect((await bench.ask('/runbooks/NOBODY_KNOWS', { cookie })).status).toBe(404);
  expect((await bench.ask('/runbooks/..%2Fpackage.json', { cookie })).status).toBe(404);
});

test('a payment that waits leads to its page, on the status page and on the queue board', async () => {
  const id = await bench.parkedEffect('invoice-paid:cs_runbook', {
    parked: { reasonCode: 'second-payment', reason: 'Invoice 1 was paid before' },
  });
  const status = await (await bench.ask('/', { cookie })).text();
  expect(status).toContain('<a href="/runbooks/second-payment">What to do</a>');
  const reason = 'second-payment: Invoice 1 was paid before';
  await bench.board.show([{ job: effectJob({ id, run: 0 }), reason, since: new Date() }]);
  const jobs = await (
    await bench.ask('/queues/api/queues?activeQueue=filemaker-effects&status=failed', { cookie })
  ).text();
  expect(jobs).toContain('What to do: /runbooks/second-payment');
});
