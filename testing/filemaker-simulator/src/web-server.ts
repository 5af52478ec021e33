import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { sendHtml } from './answer';
import { createControlApi, type DownMode, type ServerControl } from './control-api';
import { createDataApi } from './data-api';
import { logRequest } from './request-log';
import type { World } from './world';

const HEADER_BYTES_MAX = 1_048_576;
const REOPEN_TRIES = 500;
const REOPEN_PAUSE_MS = 20;

/** The web tier: one port for Data API and control API, and everything that happens to connections. */
export class WebServer implements ServerControl {
  readonly app: Express;
  readonly #world: World;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #down: DownMode | null = null;
  #upTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> = Promise.resolve();
  #address: { host: string; port: number } | undefined;

  constructor(world: World, log: ((line: string) => void) | undefined) {
    this.#world = world;
    this.app = this.#buildApp(log);
    this.#server = this.#buildServer();
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  async listen(port: number, host: string): Promise<{ url: string; port: number }> {
    await this.#open(port, host);
    const { port: bound } = this.#server.address() as AddressInfo;
    this.#address = { host, port: bound };
    const secure = this.#world.settings.tlsKeyFile !== null;
    const name = host.includes(':') ? `[${host}]` : host === '0.0.0.0' ? '127.0.0.1' : host;
    return { url: `${secure ? 'https' : 'http'}://${name}:${bound}`, port: bound };
  }

  async close(): Promise<void> {
    clearTimeout(this.#upTimer);
    this.#address = undefined;
    await this.#stopListening();
  }

  dropConnections(): number {
    const count = this.#sockets.size;
    for (const socket of [...this.#sockets]) socket.destroy();
    return count;
  }

  /** Away from this moment on; with `refuse` the port closes once the caller has its `answered`. */
  async goDown(mode: DownMode, forMs: number, answered: Promise<void>): Promise<void> {
    clearTimeout(this.#upTimer);
    this.#down = mode;
    this.#upTimer = setTimeout(() => void this.comeUp(), forMs);
    await answered;
    if (mode === 'refuse' && this.#down === mode) await this.#stopListening();
  }

  async comeUp(): Promise<void> {
    clearTimeout(this.#upTimer);
    this.#down = null;
    await this.#closing;
    const address = this.#address;
    if (this.#server.listening || address === undefined) return;
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#open(address.port, address.host);
        return;
      } catch (error) {
        if (tries >= REOPEN_TRIES || this.#address === undefined) throw error;
        await new Promise((resolve) => setTimeout(resolve, REOPEN_PAUSE_MS));
      }
    }
  }

  async #stopListening(): Promise<void> {
    if (this.#server.listening) this.#closing = new Promise((resolve) => this.#server.close(() => resolve()));
    this.dropConnections();
    await this.#closing;
  }

  #open(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  #buildServer(): Server {
    const { tlsKeyFile, tlsCertFile, keepAliveMs } = this.#world.settings;
    const options = { maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: keepAliveMs };
    if (tlsKeyFile === null && tlsCertFile === null) return createHttpServer(options, this.app);
    if (tlsKeyFile === null || tlsCertFile === null) throw new Error('tlsKeyFile and tlsCertFile belong together.');
    return createHttpsServer({ ...options, key: readFileSync(tlsKeyFile), cert: readFileSync(tlsCertFile) }, this.app);
  }

  #buildApp(log: ((line: string) => void) | undefined): Express {
    const app = express();
    app.disable('x-powered-by');
    app.disable('etag');
    app.enable('case sensitive routing');
    if (log !== undefined) app.use(logRequest(log));
    app.use('/fmi', (req, res, next) => this.#guardDoor(req, res, next));
    app.use(express.text({ type: () => true, limit: this.#world.settings.bodyBytesMax }));
    app.use('/_simulator', createControlApi(this.#world, this));
    app.use('/fmi/data/:version', createDataApi(this.#world));
    app.use((_req, res) => sendHtml(res, 404));
    app.use((error: unknown, _req: Request, res: Response, next: NextFunction) => {
      if (isBodyFault(error) && !res.headersSent) sendHtml(res, error.status);
      else next(error);
    });
    return app;
  }

  /** What the web tier does before the Data API engine sees a request. */
  #guardDoor(req: Request, res: Response, next: NextFunction): void {
    const { requestLineBytesMax, oversizeRequestLine } = this.#world.settings;
    const tooLong = Buffer.byteLength(req.originalUrl) > requestLineBytesMax;
    if (this.#down !== null) this.#world.books.requestWhileAway();
    if (this.#down === 'bad-gateway') sendHtml(res, 502);
    else if (this.#down !== null) req.socket.destroy();
    else if (!tooLong) next();
    else if (oversizeRequestLine === '414') sendHtml(res, 414);
    else req.socket.destroy();
  }
}

function isBodyFault(error: unknown): error is { status: number } {
  return (
    typeof error === 'object' &&
    error !== null &&
    'status' in error &&
    typeof error.status === 'number' &&
    error.status < 500
  );
}
