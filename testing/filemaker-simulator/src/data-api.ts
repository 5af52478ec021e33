import { setTimeout as delay } from 'node:timers/promises';
import express, { type Request, type Response, type Router } from 'express';
import { okEnvelope, sendError, sendHtml } from './answer';
import { DataApiCall, type Reply, readJsonBody } from './data-api-call';
import {
  createRecord,
  deleteRecord,
  describeLayout,
  editRecord,
  find,
  getRecord,
  listLayouts,
  listRecords,
  listScripts,
  setGlobals,
} from './data-api-records';
import { FailedWithScript, runScript } from './data-api-scripts';
import { bearerToken, listDatabases, logIn, logOut, productInfo, validateSession } from './data-api-sessions';
import { FileMakerError } from './filemaker-error';
import { ScriptCut } from './scripts/script-context';
import type { FileMakerSession } from './sessions';
import type { Endpoint, StruckCall, Trouble } from './trouble';
import type { World } from './world';

interface Route {
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  readonly path: string;
  readonly endpoint: Endpoint;
  /** `queued`: needs a token and takes its turn on it; `own`: the handler looks after credentials itself. */
  readonly session: 'queued' | 'own';
  readonly handle: (call: DataApiCall) => Reply | Promise<Reply>;
}

const DATABASE = '/databases/:database';
const LAYOUT = `${DATABASE}/layouts/:layout`;

const ROUTES: readonly Route[] = [
  { method: 'get', path: '/productInfo', endpoint: 'productInfo', session: 'own', handle: productInfo },
  { method: 'get', path: '/validateSession', endpoint: 'validate', session: 'own', handle: validateSession },
  { method: 'get', path: '/databases', endpoint: 'databases', session: 'own', handle: listDatabases },
  { method: 'post', path: `${DATABASE}/sessions`, endpoint: 'login', session: 'own', handle: logIn },
  { method: 'delete', path: `${DATABASE}/sessions/:token`, endpoint: 'logout', session: 'own', handle: logOut },
  { method: 'get', path: `${DATABASE}/layouts`, endpoint: 'metadata', session: 'queued', handle: listLayouts },
  { method: 'get', path: `${DATABASE}/scripts`, endpoint: 'metadata', session: 'queued', handle: listScripts },
  { method: 'patch', path: `${DATABASE}/globals`, endpoint: 'globals', session: 'queued', handle: setGlobals },
  { method: 'get', path: LAYOUT, endpoint: 'metadata', session: 'queued', handle: describeLayout },
  { method: 'get', path: `${LAYOUT}/script/:script`, endpoint: 'script', session: 'queued', handle: runScript },
  { method: 'post', path: `${LAYOUT}/_find`, endpoint: 'find', session: 'queued', handle: find },
  { method: 'get', path: `${LAYOUT}/records`, endpoint: 'list', session: 'queued', handle: listRecords },
  { method: 'post', path: `${LAYOUT}/records`, endpoint: 'create', session: 'queued', handle: createRecord },
  { method: 'get', path: `${LAYOUT}/records/:recordId`, endpoint: 'get', session: 'queued', handle: getRecord },
  { method: 'patch', path: `${LAYOUT}/records/:recordId`, endpoint: 'edit', session: 'queued', handle: editRecord },
  {
    method: 'delete',
    path: `${LAYOUT}/records/:recordId`,
    endpoint: 'delete',
    session: 'queued',
    handle: deleteRecord,
  },
];

/** The Data API under `/fmi/data/{v1|v2|vLatest}`. */
export function createDataApi(world: World): Router {
  const router = express.Router({ caseSensitive: true, mergeParams: true });
  router.use((req, res, next) => {
    if (['v1', 'v2', 'vLatest'].includes(String(req.params.version))) next();
    else sendError(res, new FileMakerError(1700), world.settings);
  });
  for (const route of ROUTES) router[route.method](route.path, (req, res) => answer(world, route, req, res));
  for (const path of new Set(ROUTES.map((route) => route.path))) {
    router.all(path, (_req, res) => sendError(res, new FileMakerError(1704), world.settings));
  }
  router.use((_req, res) => sendError(res, new FileMakerError(1700), world.settings));
  return router;
}

async function answer(world: World, route: Route, req: Request, res: Response): Promise<void> {
  world.books.request(route.endpoint);
  const trouble = world.troubles.strike(struckCall(route.endpoint, req), world.luck, world.clock.now());
  if (trouble !== undefined && strikeBefore(world, route, trouble, req, res)) return;
  try {
    requireContentType(world, req);
    const call = new DataApiCall(world, route.endpoint, req, res, readJsonBody(req.body), trouble);
    watchAnswer(call);
    const work = carryOut(call, route);
    const reply = await beforeProxyGivesUp(call, work);
    if (reply !== undefined) deliver(call, reply);
  } catch (error) {
    fail(world, res, error);
  }
}

async function carryOut(call: DataApiCall, route: Route): Promise<Reply> {
  const { world, trouble, req, res } = call;
  if (trouble?.kind === 'slow') await delay(trouble.ms);
  if (route.session === 'own') {
    if (route.endpoint === 'login')
      await pass(world.random.around(world.settings.loginMs, world.settings.loginSpreadMs));
    return route.handle(call);
  }
  const session = world.sessions.find(bearerToken(req.headers.authorization), call.param('database'));
  call.useSession(session);
  if (session.inUse > 0) world.books.overlaps += 1;
  return session.queue(async () => {
    if (session.ended !== null) throw new FileMakerError(952);
    if (res.destroyed && world.settings.abandonedQueuedRequest === 'dropped') return {};
    world.sessions.touch(session);
    try {
      if (route.endpoint !== 'script') await pass(world.settings.recordMs);
      return await route.handle(call);
    } finally {
      touchIfAlive(world, session);
    }
  });
}

/** Troubles that come before the call is carried out; true when they were the whole answer. */
function strikeBefore(world: World, route: Route, trouble: Trouble, req: Request, res: Response): boolean {
  if (trouble.kind === 'refuse') {
    const { code } = trouble;
    if (code === '952' && trouble.voidsToken !== false) voidToken(world, req);
    if (route.endpoint === 'login') {
      world.books.login({ database: String(req.params.database), account: '', ok: false, code, session: null });
    }
    const httpStatuses = trouble.httpStatus === undefined ? {} : { [code]: trouble.httpStatus };
    sendError(res, new FileMakerError(code), {
      ...world.settings,
      httpStatuses: { ...world.settings.httpStatuses, ...httpStatuses },
    });
    return true;
  }
  if (!('when' in trouble) || trouble.when === 'after') return false;
  if (trouble.kind === 'cut') req.socket.destroy();
  if (trouble.kind === 'html') sendHtml(res, trouble.httpStatus);
  return true;
}

/** Sends the envelope, or what a trouble makes of it after the work was done. */
function deliver(call: DataApiCall, reply: Reply): void {
  const { res, req, trouble, world } = call;
  if (trouble?.kind === 'cut') {
    req.socket.destroy();
  } else if (trouble?.kind === 'hang') {
    for (const run of call.runs) world.books.answered(run, false);
  } else if (trouble?.kind === 'html') {
    sendHtml(res, trouble.httpStatus);
  } else if (trouble?.kind === 'truncate') {
    const body = JSON.stringify(okEnvelope(reply));
    res
      .status(200)
      .type('json')
      .set('Content-Length', String(Buffer.byteLength(body)));
    res.write(body.slice(0, Math.floor(body.length / 2)), () => req.socket.destroy());
  } else {
    call.delivered = true;
    res.status(200).json(okEnvelope(reply));
  }
}

/** Tells the books whether the caller got the results of the scripts it started. */
function watchAnswer(call: DataApiCall): void {
  const { res, world } = call;
  res.once('close', () => {
    const heard = call.delivered && res.writableFinished;
    for (const run of call.runs) world.books.answered(run, heard);
    if (res.writableFinished || world.settings.clientAbort !== 'cut') return;
    world.scripts.cut('client abort', (run) => call.runs.includes(run));
  });
}

/** The web server in front answers 504 when the engine takes too long; the work goes on (setting `proxyReadTimeoutMs`). */
async function beforeProxyGivesUp(call: DataApiCall, work: Promise<Reply>): Promise<Reply | undefined> {
  const { proxyReadTimeoutMs } = call.world.settings;
  if (proxyReadTimeoutMs === null) return work;
  const stop = new AbortController();
  const gaveUp = delay(proxyReadTimeoutMs, 'gave up' as const, { signal: stop.signal }).catch(() => 'gave up' as const);
  const first = await Promise.race([work, gaveUp]);
  if (first === 'gave up') {
    work.catch((error: unknown) => {
      if (!(error instanceof FileMakerError || error instanceof ScriptCut)) throw error;
    });
    sendHtml(call.res, 504);
    return undefined;
  }
  stop.abort();
  return first;
}

function fail(world: World, res: Response, error: unknown): void {
  if (res.headersSent || res.destroyed) return;
  if (error instanceof ScriptCut) {
    res.destroy();
  } else if (error instanceof FailedWithScript) {
    sendError(res, error, world.settings, error.reply);
  } else if (error instanceof FileMakerError) {
    const html = world.settings.loginRefusedBody === 'html' && ['212', '1703'].includes(error.code);
    if (html) sendHtml(res, 401);
    else sendError(res, error, world.settings);
  } else {
    throw error;
  }
}

function struckCall(endpoint: Endpoint, req: Request): StruckCall {
  const body = typeof req.body === 'string' ? req.body : '';
  const attached = /"script(\.prerequest|\.presort)?"\s*:/.test(body) || req.query.script !== undefined;
  return { endpoint, carriesScript: endpoint === 'script' || attached, text: `${decoded(req.url)} ${body}` };
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url.replaceAll('+', ' '));
  } catch (error) {
    if (error instanceof URIError) return url;
    throw error;
  }
}

/** A body must be announced as JSON (Claris: Data API guide, error responses: 415); FMS 18 refused a charset beside it. */
function requireContentType(world: World, req: Request): void {
  if (req.method !== 'POST' && req.method !== 'PATCH') return;
  const type = req.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new FileMakerError(1705, 'Content-Type');
  if (world.settings.contentTypeWithCharset === 'refused' && type.includes(';'))
    throw new FileMakerError(1708, 'Content-Type');
}

function voidToken(world: World, req: Request): void {
  const token = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
  const session = world.sessions.present().find((entry) => entry.token === token);
  if (session !== undefined) world.sessions.end(session, 'killed');
}

function touchIfAlive(world: World, session: FileMakerSession): void {
  if (session.ended === null) world.sessions.touch(session);
}

async function pass(ms: number): Promise<void> {
  if (ms > 0) await delay(ms);
}
