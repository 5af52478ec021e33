import type { CallStep, Exchange, Expectation, StartStep } from '../contract-case';

type Options = Omit<Exchange, 'name' | 'line'> & Pick<CallStep, 'repeat' | 'keepEach' | 'forEach'>;

const JSON_BODY = { 'Content-Type': 'application/json' };

/** The envelope says that all is well. */
export const ok: Expectation = { status: 200, code: '0' };

/** The envelope carries that code; under which HTTP status is an open question for most codes. */
export function refused(code: string): Expectation {
  return { code };
}

/** One call in the session of `{token}`. */
export function call(name: string, line: string, options: Options = {}): CallStep {
  return asBearer('{token}', name, line, options);
}

/** The same in the second session. */
export function otherCall(name: string, line: string, options: Options = {}): CallStep {
  return asBearer('{otherToken}', name, line, options);
}

/** With the account's name and password. */
export function accountCall(name: string, line: string, options: Options = {}): CallStep {
  return headed({ ...JSON_BODY, Authorization: '{basic}' }, name, line, options);
}

/** Without credentials, and with those headers only. */
export function bareCall(name: string, line: string, options: Options = {}): CallStep {
  return headed({}, name, line, options);
}

/** Sends a call and does not wait for it. */
export function start({ repeat: _repeat, keepEach: _keepEach, forEach: _forEach, ...step }: CallStep): StartStep {
  return { ...step, do: 'start' };
}

function asBearer(token: string, name: string, line: string, options: Options): CallStep {
  return headed({ ...JSON_BODY, Authorization: `Bearer ${token}` }, name, line, options);
}

function headed(headers: Record<string, string>, name: string, line: string, options: Options): CallStep {
  return { do: 'call', name, line, ...options, headers: { ...headers, ...options.headers } };
}

const SESSIONS = '/databases/{database}/sessions';

export const logIn = accountCall('log in', `POST ${SESSIONS}`, {
  body: {},
  expect: ok,
  keep: { token: 'response.token' },
});
export const logOut = bareCall('log out', `DELETE ${SESSIONS}/{token}`);
export const otherLogIn = accountCall('log in again', `POST ${SESSIONS}`, {
  body: {},
  expect: ok,
  keep: { otherToken: 'response.token' },
});
export const otherLogOut = bareCall('log out of the second session', `DELETE ${SESSIONS}/{otherToken}`);

/** Records that the suite makes and takes away again. */
export const ROWS = '/databases/{database}/layouts/{keyLayout}/records';
export const FIND = '/databases/{database}/layouts/{keyLayout}/_find';

export function create(name: string, key = '{key}', options: Options = {}): CallStep {
  return call(name, `POST ${ROWS}`, { body: { fieldData: { '{keyField}': key } }, ...options });
}

/** Looks for records whose key is exactly that. */
export function findKey(name: string, key = '{key}', options: Options = {}): CallStep {
  return call(name, `POST ${FIND}`, { body: { query: [{ '{keyField}': `==${key}` }], limit: '10' }, ...options });
}

/** Takes away every record that has that key, up to two. */
export function removeKey(key = '{key}', nth = ''): CallStep[] {
  const first = `row${nth}`;
  const second = `secondRow${nth}`;
  return [
    findKey(`look for what is left${nth}`, key, {
      keep: { [first]: 'response.data[0].recordId', [second]: 'response.data[1].recordId' },
    }),
    call(`remove the record${nth}`, `DELETE ${ROWS}/{${first}}`),
    call(`remove its double${nth}`, `DELETE ${ROWS}/{${second}}`),
  ];
}

/** What the script gets: the least that the kit takes, about the operator's test invoice. */
export function payload(key = '{key}'): string {
  return `{"idempotency_key":"${key}","invoice_id":"{invoice}","invoicetotal_cents":1}`;
}

export function script(name: string, scriptName: string, parameter: string, options: Options = {}): CallStep {
  return call(name, scriptLine(scriptName), { query: { 'script.param': parameter }, ...options });
}

export function otherScript(name: string, scriptName: string, parameter: string, options: Options = {}): CallStep {
  return otherCall(name, scriptLine(scriptName), { query: { 'script.param': parameter }, ...options });
}

function scriptLine(scriptName: string): string {
  return `GET /databases/{database}/layouts/{layout}/script/${scriptName}`;
}

/** The same call in the second session. */
export function asOther(step: CallStep): CallStep {
  return { ...step, headers: { ...step.headers, Authorization: 'Bearer {otherToken}' } };
}
