import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { ServiceError } from './service-error';

// Below the ranges from which Linux (32768 up) and macOS (49152 up) take ports for outgoing connections. A server that
// is stopped and started again on its port must not find it taken by somebody's client in between.
const portMin = 15_000;
const portMax = 31_999;
const triesMax = 200;
const handedOut = new Set<number>();

/** A TCP port on 127.0.0.1 that nobody listens on now and that this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(portMin, portMax + 1);
    if (handedOut.has(port)) continue;
    if (await canListen(port)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new ServiceError('SERVICE_DID_NOT_START', `No free port found on 127.0.0.1 after ${triesMax} tries.`, true);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
