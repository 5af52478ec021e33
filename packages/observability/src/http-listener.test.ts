import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http';
import { createHttpListener } from './http-listener';

/** Longer than any test waits. */
const FOR_EVER_MS = 3_600_000;

const servers: Server[] = [];
// A stop that does not come to its end shall fail its test and hold up nothing more.
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

function setup() {
  let arrived: (answer: () => void) => void = () => undefined;
  const inHand = new Promise<() => void>((resolve) => {
    arrived = resolve;
  });
  const server = createServer({ keepAliveTimeout: FOR_EVER_MS }, (_request, response) =>
    arrived(() => response.end('done')),
  );
  servers.push(server);
  return { listener: createHttpListener(server, { host: '127.0.0.1', port: 0 }), inHand };
}

test('a stop lets the request in hand finish and is over then, though its connection would be kept alive', async () => {
  const { listener, inHand } = setup();
  const agent = new Agent({ keepAlive: true });
  const request = get(await listener.start(), { agent });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  const answer = await inHand;
  const stopped = listener.stop(FOR_EVER_MS);
  answer();
  const [response] = await answered;
  response.resume();
  await stopped;
  expect(response.statusCode).toBe(200);
  agent.destroy();
});

test('a stop cuts what is not finished after its patience, may be asked for twice, and before a start', async () => {
  const { listener, inHand } = setup();
  const request = get(await listener.start());
  const cut = once(request, 'error');
  await inHand;
  await Promise.all([listener.stop(1), listener.stop(1)]);
  await cut;
  await setup().listener.stop(1);
});

test('a port that is taken rejects the start', async () => {
  const { listener } = setup();
  const port = Number(new URL(await listener.start()).port);
  const second = createHttpListener(createServer(), { host: '127.0.0.1', port });
  await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await listener.stop(0);
});
