import { channel } from 'node:diagnostics_channel';
import http from 'node:http';
import https from 'node:https';
import type Stripe from 'stripe';

/** Why no complete answer came. */
export class TransportError extends Error {
  override readonly name = 'TransportError';

  constructor(
    readonly reason: 'connection' | 'deadline' | 'too-long',
    /** Whether the request may have reached the other side. */
    readonly sent: boolean,
    readonly transportCode?: string,
  ) {
    super(`Stripe gave no complete answer: ${reason}`);
  }
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

type SdkHttpClient = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>;
type SdkAnswer = Awaited<ReturnType<SdkHttpClient['makeRequest']>>;

export interface DeadlineHttpClient extends SdkHttpClient {
  /** Breaks off what is under way and lets go of every socket. */
  destroy(): void;
}

/** Tests listen and kill the process there; nobody else does. See docs/decisions/0012-crash-points.md. */
const calls = channel('bridge:outside-call');

/** Which endpoint a request is for, without Stripe's ids and parameters. */
function tell(at: 'before-first-byte' | 'after-answer', { method, path }: http.RequestOptions): void {
  if (!calls.hasSubscribers) return;
  const route = (path ?? '').split('?')[0]?.replace(/\/[a-z]+_[A-Za-z0-9_]{8,}/g, '/…');
  calls.publish({ at, label: `stripe ${method} ${route}` });
}

const bodyBytesMax = 64 * 1024 * 1024;

/**
 * The SDK's network side, replaced for four reasons:
 * - its time-out watches silence on the socket, so an answer that drips in never ends; here `timeout` is the whole
 *   call, from the look-up of the name to the last byte;
 * - an error says whether the request can have left;
 * - a status of 400 or more without Stripe's error object (a proxy's page) would pass as a result, or lose its status;
 * - the sockets can be closed.
 *
 * It repeats a request in one case only, and reads may be repeated: a kept-alive socket broke without any answer, most
 * likely because the other side had closed it already.
 */
export function createDeadlineHttpClient(): DeadlineHttpClient {
  const agents = {
    http: new http.Agent({ keepAlive: true }),
    https: new https.Agent({ keepAlive: true }),
  };

  return {
    getClientName: () => 'bridge',
    async makeRequest(host, port, path, method, headers, requestData, protocol, timeout) {
      const plain = protocol === 'http';
      const options = { host, port, path, method, headers, agent: plain ? agents.http : agents.https };
      const deadline = performance.now() + timeout;
      const send = () => exchange(plain ? http : https, options, requestData, deadline - performance.now());
      const answer = await send().catch((error: unknown) => {
        if (error instanceof StaleSocket) return send();
        throw error;
      });
      return toSdkResponse(answer);
    },
    destroy() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** A kept-alive socket broke before the answer began. */
class StaleSocket extends TransportError {
  constructor(code?: string) {
    super('connection', true, code);
  }
}

function exchange(
  transport: typeof http | typeof https,
  options: http.RequestOptions,
  body: string,
  withinMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let connected = false;
    let answering = false;
    const request = transport.request(options);
    // Rejecting first decides what is told; breaking off may bring errors of its own, which come too late to matter.
    const giveUp = (error: TransportError) => {
      clearTimeout(timer);
      reject(error);
      request.destroy();
    };
    const timer = setTimeout(() => giveUp(new TransportError('deadline', connected)), Math.max(1, withinMs));
    const fail = (error: Error) => {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
      const stale = request.reusedSocket && !answering;
      giveUp(stale ? new StaleSocket(code) : new TransportError('connection', connected, code));
    };

    request.on('error', fail);
    request.on('socket', (socket) => {
      // Before the handshake is through, nothing of the request has left.
      if (!socket.connecting) connected = true;
      else socket.once(transport === https ? 'secureConnect' : 'connect', () => (connected = true));
    });
    request.on('response', (response) => {
      answering = true;
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) giveUp(new TransportError('too-long', true));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      // Not every broken answer is an 'error'; after an 'end' this comes too late to matter.
      response.on('close', () => fail(new Error('closed')));
      response.on('end', () => {
        clearTimeout(timer);
        tell('after-answer', options);
        const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(headers),
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    tell('before-first-byte', options);
    request.end(body);
  });
}

function toSdkResponse({ status, headers, body }: Answer): SdkAnswer {
  return {
    getStatusCode: () => status,
    getHeaders: () => headers,
    getRawResponse: () => ({}),
    toStream: () => {
      throw new Error('The bridge reads no streams from Stripe');
    },
    toJSON: async () => {
      const parsed = parseObject(body);
      if (status >= 200 && status < 300) {
        if (parsed === null) throw new Error('Not a JSON object');
        return parsed;
      }
      const { error } = parsed ?? {};
      return typeof error === 'object' && error !== null ? parsed : { error: { type: 'api_error' } };
    },
  };
}

function parseObject(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
