import type { ContractCase } from '../contract-case';
import { absent, aFilledText, aList, anythingBut, naming, oneOf, textLike } from '../wants';
import { accountCall, bareCall, call, logIn, logOut, ok, refused } from './requests';

const SESSIONS = 'POST /databases/{database}/sessions';

/** What a server says without a session, and how one is opened. */
export const serverAndLoginCases: readonly ContractCase[] = [
  {
    id: 'product-info',
    says: 'productInfo needs no credentials and tells version and formats.',
    source: 'fms-api-client: metadata service (sends no credentials)',
    steps: [
      bareCall('ask', 'GET /productInfo', {
        expect: {
          ...ok,
          body: {
            'response.productInfo.name': aFilledText,
            'response.productInfo.version': textLike(/^\d+\./),
            'response.productInfo.dateFormat': aFilledText,
            'response.productInfo.timeFormat': aFilledText,
            'response.productInfo.timeStampFormat': aFilledText,
          },
        },
      }),
    ],
  },
  {
    id: 'databases',
    says: 'The list of databases, asked with Basic credentials, names the file.',
    source: 'Claris: Data API guide, get database names',
    steps: [
      accountCall('ask', 'GET /databases', {
        expect: { ...ok, body: { 'response.databases': naming('{database}') } },
      }),
    ],
  },
  {
    id: 'unknown-address',
    says: 'An address that the API does not have is code 1700 or a refusal of the web server, never a success.',
    source: 'Claris: Pro help, error codes; Data API guide, error responses',
    steps: [
      bareCall('ask', 'GET /noSuchThing', {
        expect: { status: oneOf(400, 404, 405), code: oneOf('1700', '1704', absent) },
      }),
    ],
  },
  {
    id: 'login',
    says: 'A login with Basic credentials answers with a token, once in a header and once in the body.',
    source: 'Claris: Data API guide, log in to a database session',
    steps: [
      accountCall('log in', SESSIONS, {
        body: {},
        expect: { ...ok, body: { 'response.token': aFilledText } },
        keep: { token: 'response.token' },
      }),
    ],
    also: [
      {
        says: 'the header X-FM-Data-Access-Token holds the token of the body',
        holds: ({ answer, value }) =>
          answer('log in').headers['x-fm-data-access-token'] === value('log in', 'response.token'),
      },
    ],
    afterwards: [logOut],
  },
  {
    id: 'login-wrong-password',
    says: 'A wrong account or password is HTTP 401, code 212; some servers answer with a web page.',
    source: 'Claris: Pro help, error codes; fmrest-ruby: raise_errors.rb (web page)',
    steps: [bareCall('log in', SESSIONS, { headers: nobody(), body: {}, expect: { status: 401 } })],
    questions: [
      {
        id: 'loginRefusedBody',
        asks: 'Does a refused login answer with JSON?',
        either: [
          { shows: 'json', when: { 'log in': { code: oneOf('212', '214', '1703') } } },
          { shows: 'html', when: { 'log in': { json: false } } },
        ],
      },
    ],
  },
  {
    id: 'login-without-credentials',
    says: 'A login without an Authorization header is HTTP 401.',
    source: 'Claris: Pro help, error codes (1702); Data API guide, error responses',
    steps: [
      bareCall('log in', SESSIONS, {
        headers: { 'Content-Type': 'application/json' },
        body: {},
        expect: { status: 401, code: oneOf('1702', '212', absent) },
      }),
    ],
  },
  {
    id: 'login-content-type',
    says: 'A login with another Content-Type than application/json is HTTP 415.',
    source: 'Claris: Data API guide, error responses',
    steps: [
      accountCall('log in', SESSIONS, { headers: { 'Content-Type': 'text/plain' }, body: {}, expect: { status: 415 } }),
    ],
  },
  {
    id: 'login-charset',
    says: 'Whether a charset may stand beside the Content-Type differs between versions.',
    source: 'fuzzzerd/fmdata: FileMakerRestClient.cs (FMS 18 refused it)',
    steps: [
      accountCall('log in', SESSIONS, {
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
        body: {},
        keep: { token: 'response.token' },
      }),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'contentTypeWithCharset',
        asks: 'May the Content-Type carry a charset?',
        either: [
          { shows: 'accepted', when: { 'log in': ok } },
          { shows: 'refused', when: { 'log in': { status: oneOf(400, 415) } } },
        ],
      },
    ],
  },
  {
    id: 'login-unknown-database',
    says: 'A login to a file that is not hosted is refused: the file is missing or cannot be opened.',
    source: 'Claris: Pro help, error codes (100, 802)',
    steps: [
      accountCall('log in', 'POST /databases/{run}-no-such-file/sessions', {
        body: {},
        expect: { code: oneOf('100', '802', '212') },
      }),
    ],
  },
  {
    id: 'login-until-full',
    says: 'When the host has no capacity left, a login is refused with a capacity code; sessions that end make room.',
    source: 'Claris: Pro help, error codes (812, 956); proofsh/fmdapi issue 18',
    risks: ['capacity'],
    steps: [
      accountCall('log in until refused', SESSIONS, {
        body: {},
        repeat: { max: 60, until: { code: anythingBut('0') } },
        keepEach: { tokens: 'response.token' },
      }),
    ],
    afterwards: [bareCall('log out of each', 'DELETE /databases/{database}/sessions/{each}', { forEach: 'tokens' })],
    questions: [
      {
        id: 'capacityCode',
        asks: 'Which code says that there is no room?',
        either: [
          { shows: '812', when: { 'log in until refused': refused('812') } },
          { shows: '956', when: { 'log in until refused': refused('956') } },
          { shows: '1212', when: { 'log in until refused': refused('1212') } },
          { shows: 'no limit below 60 sessions', when: { 'log in until refused': ok } },
        ],
      },
      {
        id: 'capacityHttpStatus',
        asks: 'Under which HTTP status?',
        measure: ({ answer }) => String(answer('log in until refused').status),
      },
      {
        id: 'sessionsMax',
        asks: 'How many sessions fit?',
        measure: ({ answers }) => answers('log in until refused').filter(({ status }) => status === 200).length,
      },
    ],
  },
  {
    id: 'login-lockout',
    says: 'Too many wrong passwords in a row may be answered with 214 for a while.',
    source: 'Claris: Pro help, error codes (214)',
    risks: ['lockout'],
    steps: [
      bareCall('log in wrongly', SESSIONS, {
        headers: nobody(),
        body: {},
        repeat: { max: 8, until: refused('214') },
        expect: { status: 401 },
      }),
    ],
    questions: [
      {
        id: 'lockoutAfterFailures',
        asks: 'After how many wrong passwords in a row does 214 come?',
        measure: ({ value, answers }) =>
          value('log in wrongly', 'messages[0].code') === '214'
            ? answers('log in wrongly').length - 1
            : 'not within eight',
      },
    ],
  },
  {
    id: 'layouts-and-scripts',
    says: 'The lists of layouts and scripts name those of the file, maybe inside of folders.',
    source: 'Claris: Data API guide, get layout names, get script names',
    steps: [
      logIn,
      call('list layouts', 'GET /databases/{database}/layouts', {
        expect: { ...ok, body: { 'response.layouts': naming('{layout}') } },
      }),
      call('list scripts', 'GET /databases/{database}/scripts', {
        expect: { ...ok, body: { 'response.scripts': naming('{script}') } },
      }),
      call('describe the layout', 'GET /databases/{database}/layouts/{keyLayout}', {
        expect: { ...ok, body: { 'response.fieldMetaData': naming('{keyField}') } },
      }),
      call('describe a layout that is not there', 'GET /databases/{database}/layouts/{run}-none', {
        expect: { code: '105' },
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'versions',
    says: 'v1, v2 and vLatest are the same API for what has no portals.',
    source: 'Claris: Data API guide, perform a find request',
    steps: [
      bareCall('ask v1', 'GET //fmi/data/v1/productInfo', {
        expect: { ...ok, body: { 'response.productInfo.name': aFilledText } },
      }),
      bareCall('ask vLatest', 'GET //fmi/data/vLatest/productInfo', { expect: ok }),
      bareCall('ask v9', 'GET //fmi/data/v9/productInfo', { expect: { code: anythingBut('0') } }),
    ],
  },
  {
    id: 'envelope',
    says: 'Every answer of the engine has `response` and a list `messages` with a code as text.',
    source: 'Claris: Data API guide, error responses',
    steps: [
      bareCall('ask', 'GET /productInfo', {
        expect: { body: { messages: aList, 'messages[0].message': aFilledText } },
      }),
      bareCall('ask wrongly', 'GET /validateSession', { expect: { status: 401, body: { messages: aList } } }),
    ],
  },
];

/** An account that nobody has, so that no real account is locked out. */
function nobody(): Record<string, string> {
  return { 'Content-Type': 'application/json', Authorization: '{basicNobody}' };
}
