import type { IncomingMessage } from 'node:http';

/** Why a body was not read: an answer for the client, or none when it has gone. */
export class BodyRefusedError extends Error {
  constructor(
    readonly code: 'BODY_TOO_LARGE' | 'BODY_ENCODED' | 'OVERLOADED' | 'REQUEST_ABORTED',
    readonly status: number,
  ) {
    super(code);
    this.name = 'BodyRefusedError';
  }
}

/** Bytes of all bodies in hand together: what keeps a thousand slow uploads from filling the memory. */
export interface ByteBudget {
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

export function createByteBudget(bytesMax: number): ByteBudget {
  let taken = 0;
  return {
    take: (bytes) => {
      if (taken + bytes > bytesMax) return false;
      taken += bytes;
      return true;
    },
    giveBack: (bytes) => {
      taken -= bytes;
    },
  };
}

/** A client that sends more than allowed gets its answer only if we read on a little; this is how far. */
const discardBytesMax = 8 * 1024 * 1024;
const discardMsMax = 2_000;

/**
 * The raw bytes of a request. The caller gives `bytes.length` back to the budget when done.
 * @throws BodyRefusedError. The server's request time-out bounds how long a slow client may take.
 */
export async function readBody(request: IncomingMessage, bytesMax: number, budget: ByteBudget): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  const refusal =
    encoding !== undefined && encoding.toLowerCase() !== 'identity'
      ? new BodyRefusedError('BODY_ENCODED', 415)
      : Number(request.headers['content-length'] ?? 0) > bytesMax
        ? new BodyRefusedError('BODY_TOO_LARGE', 413)
        : undefined;
  if (refusal !== undefined) {
    await discard(request);
    throw refusal;
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const leave = (): void => {
      request.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
      // A request that is destroyed later may still send an 'error'; without a listener it would end the process.
      request.on('error', () => undefined);
    };
    const refuse = (error: BodyRefusedError): void => {
      leave();
      budget.giveBack(bytes);
      discard(request).then(() => reject(error), reject);
    };
    const onData = (chunk: Buffer): void => {
      if (bytes + chunk.length > bytesMax) refuse(new BodyRefusedError('BODY_TOO_LARGE', 413));
      else if (!budget.take(chunk.length)) refuse(new BodyRefusedError('OVERLOADED', 503));
      else {
        bytes += chunk.length;
        chunks.push(chunk);
      }
    };
    const onEnd = (): void => {
      leave();
      resolve(joined(chunks, bytes));
    };
    const onGone = (): void => {
      leave();
      budget.giveBack(bytes);
      reject(new BodyRefusedError('REQUEST_ABORTED', 400));
    };
    request.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}

/** One chunk is taken as it is, unless it holds on to much more memory than the budget counts for it. */
function joined(chunks: readonly Buffer[], bytes: number): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined && only.buffer.byteLength <= 2 * bytes
    ? only
    : Buffer.concat(chunks, bytes);
}

/** Reads and forgets, so that an answer reaches a client that writes before it reads. */
function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, discardMsMax);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on('error', done);
    request.once('end', done);
    request.once('close', done);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > discardBytesMax) {
        request.pause();
        done();
      }
    });
  });
}
