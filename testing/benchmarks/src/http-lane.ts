import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface LaneAnswer {
  status: number;
  /** From the first byte out to the last byte in, in milliseconds. */
  ms: number;
}

const answerWithinMs = 30_000;
const headEnd = Buffer.from('\r\n\r\n');

/**
 * One keep-alive connection with one request in flight, whose bytes are given ready-made. It does as little as
 * possible, because on a small machine whatever the generator uses is missing to the server under test.
 * It understands answers with a Content-Length, which is all that the servers here give.
 */
export class HttpLane {
  readonly #port: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #settle: ((answer: { status: number; close: boolean } | Error) => void) | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Rejects when the connection breaks or nothing comes within 30 s. */
  async send(request: Buffer): Promise<LaneAnswer> {
    const socket = this.#socket ?? (await this.#open());
    const startedAt = performance.now();
    const answer = await new Promise<{ status: number; close: boolean } | Error>((resolve) => {
      this.#settle = resolve;
      socket.write(request);
    });
    if (answer instanceof Error) throw answer;
    const ms = performance.now() - startedAt;
    if (answer.close) this.close();
    return { status: answer.status, ms };
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #open(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    this.#received = Buffer.alloc(0);
    this.#socket = socket;
    const fail = (error: Error): void => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#finish(error);
      socket.destroy();
    };
    socket.setTimeout(answerWithinMs, () => fail(new Error('no answer')));
    socket.on('error', fail);
    socket.on('close', () => {
      if (this.#socket === socket) fail(new Error('connection closed'));
    });
    socket.on('data', (chunk) => this.#take(chunk));
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(headEnd);
    if (end === -1) return;
    const head = this.#received.toString('latin1', 0, end).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + headEnd.length + length) return;
    this.#received = this.#received.subarray(end + headEnd.length + length);
    this.#finish({ status: Number(head.slice(9, 12)), close: head.includes('\r\nconnection: close') });
  }

  #finish(answer: { status: number; close: boolean } | Error): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(answer);
  }
}
