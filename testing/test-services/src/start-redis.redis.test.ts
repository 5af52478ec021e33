import { connect } from 'node:net';
import { type RedisService, startRedis } from './start-redis';

/** One inline command over a raw connection; gives what the server sends until it closes. */
function ask(redis: RedisService, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: redis.port });
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(answer.replace(/\+OK\r\n$/, '').trim()));
    socket.write(`${command}\r\nQUIT\r\n`);
  });
}

describe('a throw-away Redis', () => {
  let redis: RedisService;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    await redis.stop();
  });

  it('never evicts and writes nothing to disk, as the bridge wants its Redis', async () => {
    expect(await ask(redis, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(await ask(redis, 'CONFIG GET save')).toMatch(/\$4\r\nsave\r\n\$0$/);
    expect(await ask(redis, 'CONFIG GET appendonly')).toMatch(/\r\nno$/);
  });

  it('flush forgets every key', async () => {
    await ask(redis, 'SET lease cs_1');
    await redis.flush();
    expect(await ask(redis, 'GET lease')).toBe('$-1');
  });

  it('restart and kill forget everything and keep the address', async () => {
    const { url } = redis;
    await ask(redis, 'SET lease cs_1');
    await redis.restart();
    expect(await ask(redis, 'GET lease')).toBe('$-1');

    await ask(redis, 'SET lease cs_1');
    await redis.kill();
    await expect(ask(redis, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(redis.flush()).rejects.toMatchObject({ code: 'SERVICE_STATE' });
    await redis.start();
    expect(await ask(redis, 'GET lease')).toBe('$-1');
    expect(redis.url).toBe(url);
  });

  it('pause hangs the server without closing connections; resume answers what was asked meanwhile', async () => {
    await redis.pause();
    const asked = ask(redis, 'PING');
    await expect(redis.flush()).rejects.toMatchObject({ code: 'SERVICE_STATE' });
    await redis.resume();
    expect(await asked).toBe('+PONG');
  });

  it('stop ends a paused server too', async () => {
    await redis.pause();
    await redis.stop();
    await expect(ask(redis, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

it('an append-only Redis finds its keys again after a kill', async () => {
  const redis = await startRedis({ appendOnly: true });
  await ask(redis, 'SET lease cs_1');
  await redis.kill();
  await redis.start();
  expect(await ask(redis, 'GET lease')).toBe('$4\r\ncs_1');
  await redis.stop();
});

it('two of them run side by side', async () => {
  const [one, two] = await Promise.all([startRedis(), startRedis()]);
  await ask(one, 'SET lease cs_1');
  expect(await ask(two, 'GET lease')).toBe('$-1');
  await Promise.all([one.stop(), two.stop()]);
});

it('a port that is taken is named by the error, with the words of the server', async () => {
  const redis = await startRedis();
  await expect(startRedis({ port: redis.port })).rejects.toMatchObject({ code: 'SERVICE_DID_NOT_START' });
  await redis.stop();
});
