import type { z } from 'zod';
import {
  createAnswer,
  editAnswer,
  envelope,
  findAnswer,
  flattenNames,
  layoutsAnswer,
  loginAnswer,
  productAnswer,
  scriptAnswer,
  scriptsAnswer,
  sessionAnswer,
} from './answers';
import { checkOptions, type FileMakerClientOptions } from './client-options';
import { type FileMakerEndpoint, FileMakerError } from './filemaker-error';
import { createHttpExchange, type HttpRequest } from './http-exchange';
import { judgeApiCode, judgeTransport } from './judge-failure';
import { createRequestPaths, type ScriptCall, UnsendableRequest } from './request-urls';

/** What a script left behind. Judge it with `judgeScriptAnswer`; a call that returned is not yet a script that worked. */
export interface ScriptAnswer {
  /** FileMaker's error number at the end of the script, `'0'` for none. */
  readonly scriptError: string;
  /** The text given to Exit Script; undefined when the script gave none. */
  readonly scriptResult: string | undefined;
}

/** What the server says about itself. A part that it leaves out is undefined. */
export interface ProductInfo {
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly buildDate: string | undefined;
  readonly dateFormat: string | undefined;
  readonly timeFormat: string | undefined;
  readonly timeStampFormat: string | undefined;
}

/** Values for fields that stand on the layout. */
export type FieldData = Readonly<Record<string, string | number>>;

/** One new record; `script` and its parameter are optional. */
export interface CreateRecordCall {
  readonly layout: string;
  readonly fieldData: FieldData;
  /** Runs after the record is created, in the same request. */
  readonly script?: string | undefined;
  readonly parameter?: string | undefined;
}

/** FileMaker's ids of a new record, both numbers as text. */
export interface CreatedRecord {
  readonly recordId: string;
  readonly modId: string;
  /** Present exactly when a script was asked for. */
  readonly script?: ScriptAnswer;
}

/** Fields of one record to set; the others stay. */
export interface EditRecordCall {
  readonly layout: string;
  readonly recordId: string;
  readonly fieldData: FieldData;
  /** Change the record only while it still has this modification number. */
  readonly modId?: string | undefined;
}

/** One `_find`. */
export interface FindCall {
  readonly layout: string;
  /** The objects are alternatives; the fields inside one must all match. See `exactly`. */
  readonly query: ReadonlyArray<Readonly<Record<string, string>>>;
  /** Most records to return. */
  readonly limit: number;
  /** The first record to return, counted from 1. */
  readonly offset?: number | undefined;
  /** Return the fields of this layout instead, to save transfer. */
  readonly responseLayout?: string | undefined;
}

/** One record of the layout that was asked for. */
export interface FoundRecord {
  readonly recordId: string;
  readonly modId: string;
  /** Number fields may come as number or as text. */
  readonly fieldData: Readonly<Record<string, unknown>>;
}

/** The records of one page, in the order of the server. No match at all (401) is an empty list, not an error. */
export interface FindResult {
  readonly records: readonly FoundRecord[];
  /**
   * How many records match. Greater than `returnedCount`: there are more than were returned. Where the server does not say,
   * a list that fills the limit counts one more than it shows: there may be more, and absence is not proved by it.
   */
  readonly foundCount: number;
  readonly returnedCount: number;
}

/**
 * One method per endpoint of the Claris FileMaker Data API v2. Every call is sent at most once and ends within `timeoutMs`;
 * every failure is a `FileMakerError`. One token may carry one call at a time: that is the caller's care.
 */
export interface FileMakerClient {
  /** Opens a session. See `FileMakerSessionFate` for what a failure says about the place it would have taken. */
  login(): Promise<{ token: string }>;
  /** Ends a session. A session that is gone already answers FILEMAKER_INVALID_TOKEN. */
  logout(token: string): Promise<void>;
  /**
   * `inUse` true: an earlier call on this session still runs. Undefined: this server does not tell. A server too old for the
   * question fails with FILEMAKER_COMMAND_UNAVAILABLE, which says just as little about the session.
   */
  validateSession(token: string): Promise<{ inUse: boolean | undefined }>;
  /** Whether the server answers at all; needs no credentials and opens no session. */
  productInfo(): Promise<ProductInfo>;
  /** The server's clock, whole seconds, by the `Date` of the same answer; null where none is told. */
  serverTime(): Promise<Date | null>;
  /** Runs a script by GET, the only way that the Data API offers. Keep `scriptUrlLength` within 2,000. */
  runScript(token: string, call: ScriptCall): Promise<ScriptAnswer>;
  createRecord(token: string, call: CreateRecordCall): Promise<CreatedRecord>;
  editRecord(token: string, call: EditRecordCall): Promise<{ modId: string }>;
  /** "Nothing found" is an empty result, not an error. */
  find(token: string, call: FindCall): Promise<FindResult>;
  /** Names of all layouts that the account sees, folders opened. */
  layouts(token: string): Promise<string[]>;
  /** Names of all scripts that the account sees, folders opened. A name that stands twice is listed twice. */
  scripts(token: string): Promise<string[]>;
  /** The number of characters of the URL that `runScript` would request, scheme and host included. Pure. */
  scriptUrlLength(call: ScriptCall): number;
  /** Lets running calls end and closes all sockets. Later calls fail as not sent. */
  close(): Promise<void>;
}

interface Answer {
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly response: unknown;
}

const MESSAGE_CHARACTERS_MAX = 200;

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wholeNumber(value: number, what: string): string {
  if (!Number.isSafeInteger(value) || value < 1) throw new UnsendableRequest(`${what} must be a whole number from 1`);
  return String(value);
}

function unreadable(endpoint: FileMakerEndpoint, httpStatus: number, apiCode?: string): FileMakerError {
  const judgement = judgeTransport(endpoint, { fault: 'answer-unreadable', sent: true, httpStatus });
  return new FileMakerError(judgement, { endpoint, httpStatus, apiCode, fault: 'answer-unreadable' });
}

/** Reads an answer that FileMaker called good. A form that we cannot read is never taken for success. */
function read<Schema extends z.ZodType>(endpoint: FileMakerEndpoint, schema: Schema, answer: Answer): z.output<Schema> {
  const parsed = schema.safeParse(answer.response);
  if (!parsed.success) throw unreadable(endpoint, answer.httpStatus, '0');
  return parsed.data;
}

/** For a server that does not count: what was passed over and what came, and one more where the list is full. */
function leastFoundCount(returnedCount: number, limit: number, offset = 1): number {
  return offset - 1 + returnedCount + (returnedCount >= limit ? 1 : 0);
}

function readScript(endpoint: FileMakerEndpoint, answer: Answer): ScriptAnswer {
  const { scriptError, scriptResult } = read(endpoint, scriptAnswer, answer);
  return { scriptError, scriptResult };
}

/**
 * One client for one FileMaker file. Opens no connection before the first call. Throws FileMakerOptionsError for
 * faulty settings; its calls reject with FileMakerError, and are sent once at most.
 */
export function createFileMakerClient(options: FileMakerClientOptions): FileMakerClient {
  const checked = checkOptions(options);
  const paths = createRequestPaths(checked.prefix, checked.database);
  const exchange = createHttpExchange(checked);
  const basic = `Basic ${Buffer.from(`${checked.username}:${checked.password}`, 'utf8').toString('base64')}`;

  function strikeOut(text: string, secrets: readonly string[]): string {
    return secrets
      .filter((secret) => secret !== '')
      .reduce((left, secret) => left.replaceAll(secret, '***'), text)
      .slice(0, MESSAGE_CHARACTERS_MAX);
  }

  /** Sends once and answers with FileMaker's `response`, or throws what the answer, or its absence, means. */
  async function call(
    endpoint: FileMakerEndpoint,
    token: string,
    prepare: () => HttpRequest,
    scriptAttached = false,
  ): Promise<Answer> {
    const request = prepareOrRefuse(endpoint, prepare);
    const outcome = await exchange.send({
      ...request,
      // Exactly this: some servers refuse an added charset.
      headers: { ...request.headers, 'content-type': 'application/json' },
    });
    if (!outcome.answered) {
      const { fault, sent, status: httpStatus, transportCode } = outcome;
      throw new FileMakerError(judgeTransport(endpoint, { fault, sent, httpStatus }), {
        endpoint,
        httpStatus,
        fault,
        transportCode,
      });
    }
    const parsed = envelope.safeParse(parseJson(outcome.body));
    const message = parsed.data?.messages[0];
    if (!parsed.success || message === undefined) throw unreadable(endpoint, outcome.status);
    if (message.code !== '0') {
      const evidence = {
        apiCode: message.code,
        apiMessage: message.message,
        httpStatus: outcome.status,
        scriptAttached,
      };
      throw new FileMakerError(judgeApiCode(endpoint, evidence), {
        endpoint,
        apiCode: /^-?\d{1,6}$/.test(message.code)
          ? message.code
          : strikeOut(message.code, [token, basic, checked.password]),
        apiMessage: strikeOut(message.message, [token, basic, checked.password]),
        httpStatus: outcome.status,
      });
    }
    return { httpStatus: outcome.status, headers: outcome.headers, response: parsed.data.response };
  }

  function prepareOrRefuse(endpoint: FileMakerEndpoint, prepare: () => HttpRequest): HttpRequest {
    try {
      return prepare();
    } catch (error) {
      if (!(error instanceof UnsendableRequest)) throw error;
      const report = { fault: 'request-unsendable', sent: false } as const;
      throw new FileMakerError(judgeTransport(endpoint, report), { endpoint, fault: report.fault });
    }
  }

  const askForProduct = (): Promise<Answer> =>
    call('productInfo', '', () => ({ method: 'GET', path: paths.productInfo, headers: {} }));

  return {
    async login() {
      const answer = await call('login', '', () => ({
        method: 'POST',
        path: paths.sessions,
        headers: { authorization: basic },
        body: '{}',
      }));
      const header = answer.headers['x-fm-data-access-token'];
      const parsed = loginAnswer.safeParse(answer.response);
      if (parsed.success) return { token: parsed.data.token };
      if (typeof header === 'string' && header !== '') return { token: header };
      throw unreadable('login', answer.httpStatus, '0');
    },

    async logout(token) {
      await call('logout', token, () => ({ method: 'DELETE', path: paths.session(token), headers: {} }));
    },

    async validateSession(token) {
      const answer = await call('validateSession', token, () => ({
        method: 'GET',
        path: paths.validateSession,
        headers: bearer(token),
      }));
      return { inUse: sessionAnswer.safeParse(answer.response).data?.isSessionInUse };
    },

    async serverTime() {
      const { date } = (await askForProduct()).headers;
      const at = new Date(typeof date === 'string' ? date : '');
      return Number.isNaN(at.getTime()) ? null : at;
    },

    async productInfo() {
      const answer = await askForProduct();
      const { name, version, buildDate, dateFormat, timeFormat, timeStampFormat } = read(
        'productInfo',
        productAnswer,
        answer,
      ).productInfo;
      return { name, version, buildDate, dateFormat, timeFormat, timeStampFormat };
    },

    async runScript(token, scriptCall) {
      const answer = await call('runScript', token, () => ({
        method: 'GET',
        path: paths.script(scriptCall),
        headers: bearer(token),
      }));
      return readScript('runScript', answer);
    },

    async createRecord(token, { layout, fieldData, script, parameter }) {
      const answer = await call(
        'createRecord',
        token,
        () => ({
          method: 'POST',
          path: paths.records(layout),
          headers: bearer(token),
          body: JSON.stringify({
            fieldData,
            ...(script === undefined ? {} : { script }),
            ...(script === undefined || parameter === undefined ? {} : { 'script.param': parameter }),
          }),
        }),
        script !== undefined,
      );
      const { recordId, modId } = read('createRecord', createAnswer, answer);
      return { recordId, modId, ...(script === undefined ? {} : { script: readScript('createRecord', answer) }) };
    },

    async editRecord(token, { layout, recordId, fieldData, modId }) {
      const answer = await call('editRecord', token, () => ({
        method: 'PATCH',
        path: paths.record(layout, recordId),
        headers: bearer(token),
        body: JSON.stringify({ fieldData, ...(modId === undefined ? {} : { modId }) }),
      }));
      return { modId: read('editRecord', editAnswer, answer).modId };
    },

    async find(token, { layout, query, limit, offset, responseLayout }) {
      const prepare = (): HttpRequest => {
        if (query.length === 0 || query.some((criteria) => Object.keys(criteria).length === 0)) {
          throw new UnsendableRequest('the find has no criteria');
        }
        return {
          method: 'POST',
          path: paths.find(layout),
          headers: bearer(token),
          body: JSON.stringify({
            query,
            limit: wholeNumber(limit, 'limit'),
            ...(offset === undefined ? {} : { offset: wholeNumber(offset, 'offset') }),
            ...(responseLayout === undefined ? {} : { 'layout.response': responseLayout }),
          }),
        };
      };
      try {
        const answer = await call('find', token, prepare);
        const { data, dataInfo } = read('find', findAnswer, answer);
        // The records in hand are counted, not believed: "all returned" must never be claimed of a short list.
        return {
          records: data,
          foundCount: dataInfo?.foundCount ?? leastFoundCount(data.length, limit, offset),
          returnedCount: data.length,
        };
      } catch (error) {
        if (!(error instanceof FileMakerError) || error.code !== 'FILEMAKER_NOTHING_FOUND') throw error;
        return { records: [], foundCount: 0, returnedCount: 0 };
      }
    },

    async layouts(token) {
      const answer = await call('layouts', token, () => ({
        method: 'GET',
        path: paths.layouts,
        headers: bearer(token),
      }));
      return flattenNames(read('layouts', layoutsAnswer, answer).layouts);
    },

    async scripts(token) {
      const answer = await call('scripts', token, () => ({
        method: 'GET',
        path: paths.scripts,
        headers: bearer(token),
      }));
      return flattenNames(read('scripts', scriptsAnswer, answer).scripts);
    },

    scriptUrlLength: (scriptCall) =>
      prepareOrRefuse('runScript', () => ({
        method: 'GET',
        path: checked.origin + paths.script(scriptCall),
        headers: {},
      })).path.length,

    close: () => exchange.close(),
  };
}
