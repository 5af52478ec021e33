import type { DataApiCall, Reply } from './data-api-call';
import { FileMakerError } from './filemaker-error';
import type { SimulatorSettings } from './settings';
import type { World } from './world';

/** `POST …/sessions` with Basic credentials; the token goes out in the header and in the body. */
export function logIn(call: DataApiCall): Reply {
  const { world } = call;
  const databaseName = call.param('database');
  const credentials = basicCredentials(call.req.headers.authorization);
  const entry = { database: databaseName, account: credentials?.name ?? '', session: null };
  try {
    if (credentials === undefined) throw new FileMakerError(1702);
    requireOpenFile(world, databaseName);
    const account = authenticate(world, credentials);
    const session = world.sessions.open(databaseName, account.name);
    world.books.login({ ...entry, ok: true, code: '0', session: session.number });
    call.useSession(session);
    call.res.set('X-FM-Data-Access-Token', session.token);
    return { token: session.token };
  } catch (error) {
    if (error instanceof FileMakerError) world.books.login({ ...entry, ok: false, code: error.code });
    throw error;
  }
}

/** `DELETE …/sessions/{token}`: needs no Authorization header. With a script in mid-run `deleteDuringScript` decides. */
export async function logOut(call: DataApiCall): Promise<Reply> {
  const { world } = call;
  const session = world.sessions.find(call.param('token'), call.param('database'));
  if (session.inUse > 0) world.books.deletedInUse += 1;
  const { deleteDuringScript } = world.settings;
  if (deleteDuringScript === 'waits') await session.queue(async () => undefined);
  if (deleteDuringScript === 'cut') world.scripts.cut('logout', (_run, owner) => owner === session);
  world.sessions.end(session, 'logout');
  return {};
}

/** `GET /validateSession`: whether the token lives and, from newer versions on, whether a call is still in it. */
export async function validateSession(call: DataApiCall): Promise<Reply> {
  const { world } = call;
  const { validateWhileRunning, validateExtendsSession, isSessionInUseFlag } = world.settings;
  const session = world.sessions.find(bearerToken(call.req.headers.authorization));
  const inUse = session.inUse > 0;
  if (validateWhileRunning === 'queues' && inUse) await session.queue(async () => undefined);
  if (session.ended !== null) throw new FileMakerError(952);
  if (validateExtendsSession) world.sessions.touch(session);
  return isSessionInUseFlag === 'present' ? { isSessionInUse: session.inUse > 0 } : {};
}

/** `GET /productInfo`: no credentials, no session (fms-api-client, metadata service). */
export function productInfo(call: DataApiCall): Reply {
  return {
    productInfo: {
      name: 'FileMaker Data API Engine',
      buildDate: '01/01/2026',
      version: call.world.settings.serverVersion,
      dateFormat: 'MM/dd/yyyy',
      timeFormat: 'HH:mm:ss',
      timeStampFormat: 'MM/dd/yyyy HH:mm:ss',
    },
  };
}

/** `GET /databases`: the names this account may open; Basic credentials, no session. */
export function listDatabases(call: DataApiCall): Reply {
  const credentials = basicCredentials(call.req.headers.authorization);
  if (credentials === undefined) throw new FileMakerError(1702);
  authenticate(call.world, credentials);
  const open = [...call.world.databases.values()].filter((database) => database.closedWith === null);
  return { databases: open.map(({ name }) => ({ name })) };
}

/** The token of `Authorization: Bearer …`; throws 1702 when the header is missing or of another form. */
export function bearerToken(header: string | undefined): string {
  const match = /^Bearer (\S+)$/.exec(header ?? '');
  if (match?.[1] === undefined) throw new FileMakerError(1702);
  return match[1];
}

function requireOpenFile(world: World, name: string): void {
  const database = world.database(name);
  if (database === undefined) throw new FileMakerError(802);
  if (database.closedWith !== null) throw new FileMakerError(database.closedWith);
}

function authenticate(
  world: World,
  credentials: { name: string; password: string },
): SimulatorSettings['accounts'][number] {
  const { accounts, lockoutAfterFailures } = world.settings;
  if (lockoutAfterFailures !== null && world.failedLogins >= lockoutAfterFailures) throw new FileMakerError(214);
  const account = accounts.find(({ name, password }) => name === credentials.name && password === credentials.password);
  if (account === undefined) {
    world.failedLogins += 1;
    throw new FileMakerError(212);
  }
  world.failedLogins = 0;
  return account;
}

function basicCredentials(header: string | undefined): { name: string; password: string } | undefined {
  const match = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(header ?? '');
  if (match?.[1] === undefined) return undefined;
  const pair = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
