import type { FilemakerConfig, InvoicesConfig, RedisConfig } from '@bridge/config';
import type { Database } from '@bridge/database';
import { createFileMakerClient, exactly, type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import { createGates } from '@bridge/gates';
import { fingerprint, readInstallation } from '@bridge/installation';
import { PoolError } from '@bridge/session-pool';
import { scopeAsTyped } from '../gates/gate-acts';
import { readPeerFingerprint } from '../tables/read-processes';
import { CART_LINES_MEASURED_MAX, measureCartLines, payloadProfileOf, SCRIPT_URL_CHARACTERS_MAX } from './cart-lines';
import { type Ask, checkRows } from './check-rows';
import { failedCall, isDenied, orError, seen } from './failed-call';
import { type FileMakerFault, fault } from './faults';
import { judgeAccount, judgeKitLog, judgeScripts, type NamesSeen } from './judge-names';
import { type LentSessions, lendSessions, RedisAwayError } from './lend-sessions';
import { CheckReport, type CheckStepName, type FileMakerCheck } from './report';

/** The server to look at, and what the bridge will want of it. */
export interface FileMakerCheckOptions {
  database: Database;
  filemaker: FilemakerConfig;
  /** Undefined where REDIS_URL is not set: then nothing that needs a session can be looked at. */
  redis: RedisConfig | undefined;
  facts: InvoicesConfig['facts'];
  /** The payload profile: decides how many cart lines fit into a URL. */
  payload: InvoicesConfig['payload'];
  /** Lease as many sessions at once as the cap allows. For that moment the workers wait. */
  sessions: boolean;
}

/** Harmless questions all: nobody should wait for one as long as for a script. */
const CALL_MS_MAX = 10_000;
const LATENCY_CALLS = 9;
const LATENCY_MS_MAX = 5_000;
const SLOW_MS = 1_000;
/** A cart of so many lines is nothing unusual. */
const CART_LINES_USUAL = 10;
/** FileMaker 2023 is 20. */
const KIT_VERSION_MIN = 20;
const NEED_SESSION: readonly CheckStepName[] = [
  'scripts',
  'log',
  'handoff',
  'probes',
  'account',
  'busy-flag',
  'headroom',
  'latency',
];

/**
 * Looks whether everything the workers need is there at the configured FileMaker Server, without running any script. Leaves
 * one row of the bridge's own in the log and one in the hand-off table. Throws when PostgreSQL cannot be asked.
 */
export async function runFileMakerCheck(options: FileMakerCheckOptions): Promise<FileMakerCheck> {
  const { filemaker } = options;
  const client = createFileMakerClient({
    url: filemaker.url,
    database: filemaker.database,
    username: filemaker.username,
    password: filemaker.password,
    ca: filemaker.ca,
    timeoutMs: Math.min(CALL_MS_MAX, filemaker.timeoutSeconds * 1_000),
  });
  try {
    return await new FileMakerChecking(options, client).run();
  } finally {
    await client.close();
  }
}

class FileMakerChecking {
  readonly #options: FileMakerCheckOptions;
  readonly #client: FileMakerClient;
  readonly #report = new CheckReport();
  #version: string | null = null;
  #logFound = false;
  #latency: FileMakerCheck['latency'] = null;
  #headroom: FileMakerCheck['headroom'] = null;

  constructor(options: FileMakerCheckOptions, client: FileMakerClient) {
    this.#options = options;
    this.#client = client;
  }

  async run(): Promise<FileMakerCheck> {
    const { database, filemaker } = this.#options;
    const installation = await readInstallation(database);
    const reachable = await this.#checkServer();
    await this.#checkGates();
    const sessions = reachable ? await this.#lend(installation.id) : undefined;
    if (sessions === undefined) {
      for (const name of NEED_SESSION) this.#report.notChecked(name, 'no session');
    } else {
      try {
        await this.#checkWithSessions(sessions, installation.id);
      } finally {
        await sessions.close();
      }
    }
    const cart = await this.#checkCart();
    return {
      at: new Date(),
      server: { url: filemaker.url, database: filemaker.database, version: this.#version },
      steps: this.#report.steps,
      faults: this.#report.faults,
      latency: this.#latency,
      cart,
      headroom: this.#headroom,
      fine: this.#report.fine,
    };
  }

  /** True when the Data API answers and the file is the one that this bridge's database belongs to. */
  async #checkServer(): Promise<boolean> {
    const { database, filemaker } = this.#options;
    let reachable = true;
    await this.#report.step('server', async () => {
      const info = await orError(this.#client.productInfo());
      if (info instanceof FileMakerError) {
        const found = serverFault(info);
        // A server without this endpoint, or a proxy that keeps it shut, is there all the same.
        if (found === undefined) return { detail: 'answers, and does not tell its version' };
        reachable = false;
        return { detail: 'does not answer', faults: [found] };
      }
      this.#version = info.version ?? null;
      const stored = await readPeerFingerprint(database, 'filemaker');
      const faults: FileMakerFault[] = [];
      if (Number.parseInt(info.version ?? '', 10) < KIT_VERSION_MIN)
        faults.push(fault('SERVER_TOO_OLD', info.version ?? null));
      if (stored !== null && stored !== fingerprint(filemaker.url, filemaker.database)) {
        reachable = false;
        faults.push(fault('OTHER_FILE', filemaker.database));
      }
      return { detail: `answers, version ${info.version ?? 'not told'}`, faults };
    });
    return reachable;
  }

  async #checkGates(): Promise<void> {
    const { database, facts } = this.#options;
    await this.#report.step('gates', async () => {
      const scopes = ['filemaker', ...scriptsOf(facts).map(({ script }) => `script:${script}`)];
      const closures = (await createGates(database).closures(scopes)).filter(({ kind }) => kind !== 'circuit');
      return {
        detail: closures.length === 0 ? 'nothing is halted or paused' : 'work stands still',
        faults: closures.map(({ kind, scope }) =>
          fault(kind === 'halt' ? 'FILEMAKER_HALTED' : 'FILEMAKER_PAUSED', scopeAsTyped(scope)),
        ),
      };
    });
  }

  /** Takes part in the pool and has one session lent; undefined when there is none. */
  async #lend(installationId: string): Promise<LentSessions | undefined> {
    const { database, filemaker, redis } = this.#options;
    let sessions: LentSessions | undefined;
    let usable = false;
    await this.#report.step('login', async () => {
      if (redis === undefined) return { detail: 'not tried', faults: [fault('REDIS_AWAY', 'REDIS_URL is not set')] };
      try {
        sessions = await lendSessions({ database, filemaker, redis, installationId, client: this.#client });
      } catch (error) {
        if (!(error instanceof RedisAwayError)) throw error;
        return { detail: 'not tried', faults: [fault('REDIS_AWAY', error.message)] };
      }
      try {
        await sessions.ask(async () => undefined);
        usable = true;
      } catch (error) {
        return { detail: 'no session', faults: [loginFault(error, sessions)] };
      }
      const opened = sessions.logins.find(({ outcome }) => outcome === 'opened');
      return opened === undefined
        ? { detail: 'a session that was open was lent; the password was not tried' }
        : { detail: `logged in within ${opened.durationMs} ms` };
    });
    if (usable) return sessions;
    await sessions?.close();
    return undefined;
  }

  async #checkWithSessions(sessions: LentSessions, installationId: string): Promise<void> {
    const { ask } = sessions;
    const { facts, filemaker } = this.#options;
    let names: NamesSeen | undefined;
    await this.#asked('scripts', async () => {
      names = {
        layouts: new Set(await ask((token) => this.#client.layouts(token))),
        scripts: await ask((token) => this.#client.scripts(token)),
      };
      return judgeScripts(names, scriptsOf(facts));
    });
    await this.#checkLog(ask, installationId);
    await this.#checkHandoff(ask, installationId);
    await this.#checkProbes(ask);
    const listed = names;
    if (listed === undefined) this.#report.notChecked('account', 'its layouts and scripts could not be listed');
    else await this.#report.step('account', () => judgeAccount(listed, scriptsOf(facts), filemaker));
    await this.#checkBusyFlag(ask);
    await this.#checkHeadroom(sessions);
    await this.#checkLatency(ask, installationId);
    if (sessions.unreadable.size > 0) this.#report.add('login', fault('TOKEN_KEY_DIFFERS'));
  }

  /** A step whose questions may fail for a reason that has nothing to do with it. */
  async #asked(name: CheckStepName, work: () => Promise<{ detail: string; faults?: FileMakerFault[] }>): Promise<void> {
    await this.#report.step(name, async () => {
      try {
        return await work();
      } catch (error) {
        return { detail: 'could not be asked', faults: [failedCall(error)] };
      }
    });
  }

  async #checkLog(ask: Ask, installationId: string): Promise<void> {
    const { filemaker, facts } = this.#options;
    const { log } = filemaker;
    const bare = scriptsOf(facts).filter(({ contract, probe }) => contract === 'plain' && probe === undefined);
    const unset = bare.map(({ script }) => fault('LOG_UNSET', script));
    await this.#asked('log', async () => {
      if (log === undefined) return { detail: 'FILEMAKER_LOG_LAYOUT is not set', faults: unset };
      const { faults, row } = await checkRows(this.#client, ask, {
        layout: log.layout,
        keyField: log.keyField,
        key: `bridge-sentinel-${installationId}`,
        values: { [log.stateField]: 'sentinel' },
        fields: [log.keyField, log.stateField, log.resultField],
        codes: {
          layoutMissing: 'LOG_LAYOUT_MISSING',
          fieldMissing: 'LOG_FIELD_MISSING',
          notWritable: 'LOG_NOT_WRITABLE',
          notReadable: 'LOG_NOT_READABLE',
          notUnique: 'LOG_KEY_NOT_UNIQUE',
        },
      });
      this.#logFound = row !== undefined;
      if (row !== undefined) {
        faults.push(...judgeKitLog(log, new Set(Object.keys(row.fieldData)), scriptsOf(facts)));
        // The same value once more: only the right to change it shows.
        const edited = await orError(
          ask((token) =>
            this.#client.editRecord(token, {
              layout: log.layout,
              recordId: row.recordId,
              fieldData: { [log.stateField]: 'sentinel' },
            }),
          ),
        );
        if (!(edited instanceof FileMakerError)) faults.push(fault('LOG_ROWS_EDITABLE', log.layout));
      }
      return {
        detail:
          row === undefined
            ? `${log.layout}: the bridge's own row is not there`
            : `${log.layout}: the bridge's own row is there and is found`,
        faults: [...unset, ...faults],
      };
    });
  }

  async #checkHandoff(ask: Ask, installationId: string): Promise<void> {
    const { handoffLayout } = this.#options.filemaker;
    await this.#asked('handoff', async () => {
      if (handoffLayout === undefined) return { detail: 'not set: payloads go in the URL' };
      const { faults } = await checkRows(this.#client, ask, {
        layout: handoffLayout,
        keyField: 'idempotency_key',
        key: `bridge-check-${installationId}`,
        values: { payload: '{}' },
        fields: ['idempotency_key', 'payload'],
        codes: {
          layoutMissing: 'HANDOFF_LAYOUT_MISSING',
          fieldMissing: 'HANDOFF_FIELD_MISSING',
          notWritable: 'HANDOFF_NOT_WRITABLE',
          notReadable: 'HANDOFF_NOT_READABLE',
          notUnique: 'HANDOFF_KEY_NOT_UNIQUE',
        },
      });
      return { detail: `${handoffLayout}: a record of the bridge's own, which names no payment`, faults };
    });
  }

  async #checkProbes(ask: Ask): Promise<void> {
    const probes = scriptsOf(this.#options.facts).flatMap(({ probe }) => (probe === undefined ? [] : [probe]));
    await this.#asked('probes', async () => {
      const faults: FileMakerFault[] = [];
      for (const { layout, field } of probes) {
        const found = await orError(
          ask((token) => this.#client.find(token, { layout, query: [{ [field]: exactly('bridge-check') }], limit: 1 })),
        );
        if (!(found instanceof FileMakerError)) continue;
        if (found.code === 'FILEMAKER_LAYOUT_MISSING') faults.push(fault('PROBE_LAYOUT_MISSING', layout));
        else if (found.code === 'FILEMAKER_FIELD_MISSING')
          faults.push(fault('PROBE_FIELD_MISSING', `${field} of ${layout}`));
        else if (isDenied(found)) faults.push(fault('PROBE_NOT_READABLE', `${field} of ${layout}, ${seen(found)}`));
        else throw found;
      }
      return {
        detail: probes.length === 0 ? 'none' : probes.map(({ layout, field }) => `${field} of ${layout}`).join(', '),
        faults,
      };
    });
  }

  async #checkBusyFlag(ask: Ask): Promise<void> {
    await this.#asked('busy-flag', async () => {
      const use = await orError(ask((token) => this.#client.validateSession(token)));
      if (use instanceof FileMakerError && use.code !== 'FILEMAKER_COMMAND_UNAVAILABLE') throw use;
      return use instanceof FileMakerError || use.inUse === undefined
        ? { detail: 'the server does not tell', faults: [fault('SESSION_USE_UNTOLD')] }
        : { detail: 'the server tells whether a session is at work' };
    });
  }

  async #checkHeadroom(sessions: LentSessions): Promise<void> {
    const { filemaker } = this.#options;
    if (!this.#options.sessions) {
      this.#report.notChecked('headroom', 'only with --sessions');
      return;
    }
    await this.#asked('headroom', async () => {
      const { lent, census, noRoom } = await sessions.leaseAll();
      const cap = filemaker.maxSessions;
      const present = census.opening + census.idle + census.leased + census.quarantined + census.closing;
      this.#headroom = { cap, lent, heldByOthers: Math.max(0, present - lent) };
      const detail = `${lent} of ${cap} at once${present > lent ? `, ${present - lent} with the workers` : ''}`;
      if (noRoom) return { detail, faults: [fault('SESSIONS_FEWER_THAN_CAP', `${present} of ${cap}`)] };
      if (present < cap) return { detail, faults: [fault('SESSION_NOT_LENT', `${present} of ${cap} sessions`)] };
      return { detail };
    });
  }

  async #checkLatency(ask: Ask, installationId: string): Promise<void> {
    const { log } = this.#options.filemaker;
    const question = async (token: string): Promise<void> => {
      if (log === undefined || !this.#logFound) await this.#client.scripts(token);
      else {
        const query = [{ [log.keyField]: exactly(`bridge-sentinel-${installationId}`) }];
        await this.#client.find(token, { layout: log.layout, query, limit: 1 });
      }
    };
    await this.#asked('latency', async () => {
      const times: number[] = [];
      const begun = performance.now();
      while (times.length < LATENCY_CALLS && performance.now() - begun < LATENCY_MS_MAX) {
        await ask(async (token) => {
          const asked = performance.now();
          await question(token);
          times.push(performance.now() - asked);
        });
      }
      const sorted = times.sort((a, b) => a - b).map((ms) => Math.round(ms * 10) / 10);
      const medianMs = sorted[Math.floor(sorted.length / 2)] ?? 0;
      this.#latency = { calls: sorted.length, medianMs, slowestMs: sorted.at(-1) ?? 0 };
      return {
        detail: `median ${medianMs} ms of ${counted(sorted.length, 'call')}`,
        faults: medianMs > SLOW_MS ? [fault('ANSWERS_SLOW', String(Math.round(medianMs)))] : [],
      };
    });
  }

  async #checkCart(): Promise<FileMakerCheck['cart']> {
    const { filemaker, facts, payload } = this.#options;
    const { layout, script } = facts.paid;
    const { fit, urlCharacters } = measureCartLines(payloadProfileOf(payload), (parameter) =>
      this.#client.scriptUrlLength({ layout, script, parameter }),
    );
    const byRecord = filemaker.handoffLayout !== undefined;
    const about = fit === CART_LINES_MEASURED_MAX ? `${fit} or more` : String(fit);
    const faults: FileMakerFault[] = [];
    if (!byRecord && fit === 0) faults.push(fault('CART_LINES_NONE', String(urlCharacters)));
    else if (!byRecord && fit < CART_LINES_USUAL) faults.push(fault('CART_LINES_FEW', about));
    await this.#report.step('cart', () => ({
      detail: byRecord
        ? `any number: payloads go as records (about ${about} in a URL)`
        : `about ${about} in the URL of a script call`,
      faults,
    }));
    return {
      transport: byRecord ? 'handoff' : 'get',
      linesThatFit: fit,
      urlCharacters,
      urlCharactersMax: SCRIPT_URL_CHARACTERS_MAX,
    };
  }
}

const scriptsOf = (facts: InvoicesConfig['facts']) =>
  [facts.paid, facts.refunded, facts.disputed, facts.payment_failed].flatMap((one) => (one === undefined ? [] : [one]));

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Undefined: it answered, and refused only this question. */
export function serverFault(error: FileMakerError): FileMakerFault | undefined {
  if (error.code === 'FILEMAKER_CERTIFICATE') return fault('CERTIFICATE_NOT_TRUSTED', seen(error));
  if (error.stage === 'not-sent') return fault('SERVER_UNREACHABLE', seen(error));
  if (error.stage === 'refused' && !error.circuit) return undefined;
  if (error.apiCode === undefined && error.httpStatus !== undefined && error.httpStatus < 500) return undefined;
  return fault('DATA_API_AWAY', seen(error));
}

/** What FileMaker said at login tells more than what the pool makes of it. */
function loginFault(error: unknown, sessions: LentSessions): FileMakerFault {
  if (sessions.unreadable.size > 0) return fault('TOKEN_KEY_DIFFERS');
  const said = error instanceof FileMakerError ? error : sessions.lastLoginError();
  if (said === undefined || !(error instanceof PoolError || error instanceof FileMakerError)) return failedCall(error);
  const about = seen(said);
  if (said.code === 'FILEMAKER_LOGIN_ATTEMPTS') return fault('LOGIN_LOCKED_OUT', about);
  if (said.code === 'FILEMAKER_CREDENTIALS') return fault('LOGIN_REFUSED', about);
  if (said.code === 'FILEMAKER_DATABASE_UNAVAILABLE') return fault('FILE_CLOSED', about);
  if (said.code === 'FILEMAKER_CAPACITY') return fault('NO_ROOM', about);
  if (said.code === 'FILEMAKER_CERTIFICATE') return fault('CERTIFICATE_NOT_TRUSTED', about);
  if (said.stage === 'not-sent') return fault('SERVER_UNREACHABLE', about);
  return fault('LOGIN_FAILED', `${said.code}, ${about}`);
}
