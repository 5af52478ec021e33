import type { ContractCase } from '../contract-case';
import { absent, anythingBut, nothingInside, oneOf } from '../wants';
import { arrange } from './arrangements';
import {
  bareCall,
  call,
  findKey,
  logIn,
  logOut,
  ok,
  otherCall,
  otherLogIn,
  otherLogOut,
  payload,
  refused,
  script,
  start,
} from './requests';

const LAYOUTS = 'GET /databases/{database}/layouts';
const invalidToken = { status: 401, code: '952' } as const;

/** What a session is, what ends it, and what is said about it. */
export const sessionCases: readonly ContractCase[] = [
  {
    id: 'logout',
    says: 'DELETE ends a session, by the token in the address, without an Authorization header; then the token is void.',
    source: 'Claris: Data API guide, log out of a database session; Soliant: fm-data-api-client pull request 7',
    steps: [
      logIn,
      bareCall('log out', 'DELETE /databases/{database}/sessions/{token}', {
        expect: { ...ok, body: { response: nothingInside } },
      }),
      call('use the token', LAYOUTS, { expect: invalidToken }),
    ],
  },
  {
    id: 'invalid-token',
    says: 'A token that the server does not know is code 952 under HTTP 401.',
    source: 'Claris: Pro help, error codes (952)',
    steps: [
      bareCall('use it', LAYOUTS, { headers: { Authorization: 'Bearer {run}-no-token' }, expect: invalidToken }),
      bareCall('validate it', 'GET /validateSession', {
        headers: { Authorization: 'Bearer {run}-no-token' },
        expect: invalidToken,
      }),
    ],
  },
  {
    id: 'validate-session',
    says: 'validateSession answers OK for a token that lives. Newer versions add isSessionInUse, false when nothing runs.',
    source: 'Claris: Data API guide, validate a database session; starsite/SwiftFM: README (from version 19)',
    steps: [logIn, call('validate', 'GET /validateSession', { expect: ok })],
    afterwards: [logOut],
    questions: [
      {
        id: 'isSessionInUseFlag',
        asks: 'Is the flag there?',
        either: [
          { shows: 'present', when: { validate: { body: { 'response.isSessionInUse': false } } } },
          { shows: 'absent', when: { validate: { body: { 'response.isSessionInUse': absent } } } },
        ],
      },
    ],
  },
  {
    id: 'validate-while-running',
    says: 'While a script runs, validateSession tells that the session is in use.',
    source: 'Claris: Data API guide, validate a database session; whether at once is not said',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload(), { expect: ok })),
      arrange('a script is running'),
      start(call('validate', 'GET /validateSession', { expect: ok })),
      { do: 'join', name: 'validate', atMost: 'long' },
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      { do: 'join', name: 'validate' },
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'validateWhileRunning',
        asks: 'Does it answer while a script runs, or only afterwards?',
        either: [
          {
            shows: 'answers',
            when: { validate: { before: 'let scripts go', body: { 'response.isSessionInUse': oneOf(true, absent) } } },
          },
          {
            shows: 'queues',
            when: { validate: { after: 'let scripts go', body: { 'response.isSessionInUse': oneOf(false, absent) } } },
          },
        ],
      },
    ],
  },
  {
    id: 'one-request-at-a-time',
    says: 'Requests on one token queue: the second is answered when the first is done.',
    source: 'proofsh/fmdapi issue 18; Luidog/fms-api-client issue 110',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload(), { expect: ok })),
      arrange('a script is running'),
      start(call('second request', LAYOUTS, { expect: { ...ok, after: 'let scripts go' } })),
      { do: 'join', name: 'second request', atMost: 'short' },
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      { do: 'join', name: 'second request' },
    ],
    afterwards: [logOut],
  },
  {
    id: 'tokens-run-side-by-side',
    says: 'Different tokens do not wait for each other.',
    source: 'proofsh/fmdapi issue 18 (maintainer)',
    steps: [
      logIn,
      otherLogIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload(), { expect: ok })),
      arrange('a script is running'),
      otherCall('other session', LAYOUTS, { expect: ok }),
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
    ],
    also: [
      {
        says: 'the other session was answered while the script ran',
        holds: ({ answer }) => answer('other session').endedMs < answer('run').endedMs,
      },
    ],
    afterwards: [logOut, otherLogOut],
  },
  {
    id: 'database-spelling',
    says: 'Addresses are to be treated as case-sensitive: another spelling of the file may be answered as an invalid token.',
    source: 'Claris: Data API guide, URL and data format notes',
    steps: [
      logIn,
      call('other spelling', 'GET /databases/{databaseInOtherCase}/layouts'),
      call('same spelling', LAYOUTS, { expect: ok }),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'databaseSpelling',
        hasSwitch: false,
        asks: 'Is a token void under another spelling of the file?',
        either: [
          { shows: 'invalid token', when: { 'other spelling': refused('952') } },
          { shows: 'accepted', when: { 'other spelling': ok } },
        ],
      },
    ],
  },
  {
    id: 'idle-time',
    says: 'A session ends 15 minutes after the last call that used it; each call begins the time anew.',
    source: 'Claris: Data API guide, connect to and disconnect from a database',
    steps: [
      logIn,
      arrange('minutes pass', { minutes: 14 }),
      call('after 14 minutes', LAYOUTS),
      arrange('more minutes pass', { minutes: 16 }),
      call('after 16 more', LAYOUTS),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'sessionIdleSeconds',
        asks: 'Is the idle time 15 minutes?',
        either: [
          { shows: '15 minutes', when: { 'after 14 minutes': ok, 'after 16 more': invalidToken } },
          { shows: 'less', when: { 'after 14 minutes': invalidToken } },
          { shows: 'more', when: { 'after 14 minutes': ok, 'after 16 more': ok } },
        ],
      },
    ],
  },
  {
    id: 'validate-and-idle-time',
    says: 'Whether validateSession begins the idle time anew is not said.',
    source: 'Claris: Data API guide, validate a database session; a connector guide says no',
    steps: [
      logIn,
      arrange('minutes pass', { minutes: 9 }),
      call('validate', 'GET /validateSession', { expect: { code: oneOf('0', '952') } }),
      arrange('more minutes pass', { minutes: 9 }),
      call('use it', LAYOUTS),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'validateExtendsSession',
        asks: 'Does validateSession begin the idle time anew?',
        either: [
          { shows: 'true', when: { validate: ok, 'use it': ok } },
          { shows: 'false', when: { validate: ok, 'use it': invalidToken } },
          { shows: 'the idle time is below 9 minutes', when: { validate: invalidToken } },
        ],
      },
    ],
  },
  {
    id: 'script-past-idle-time',
    says: 'Whether a session outlives its idle time while a script runs in it, and the script its session, is not said.',
    source: 'Claris: Data API guide, connect to and disconnect from a database (silent on running scripts)',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{verySlowScript}', payload())),
      arrange('a script is running'),
      arrange('minutes pass', { minutes: 16 }),
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      arrange('all scripts are over', { seconds: 300 }),
      call('use the session', LAYOUTS),
      otherLogIn,
      otherCall('look for its row', 'POST /databases/{database}/layouts/{keyLayout}/_find', {
        body: { query: [{ '{keyField}': '=={key}' }] },
      }),
    ],
    afterwards: [logOut, otherLogOut],
    questions: [
      {
        id: 'runningScriptKeepsSession',
        asks: 'Does a running script keep its session?',
        either: [
          { shows: 'true', when: { run: ok, 'use the session': ok } },
          { shows: 'false', when: { 'use the session': invalidToken } },
        ],
      },
      {
        id: 'expiryDuringScript',
        asks: 'Does a script outlive the idle time of its session?',
        either: [
          { shows: 'survives', when: { 'look for its row': ok } },
          { shows: 'cut', when: { 'look for its row': refused('401') } },
        ],
      },
    ],
  },
  {
    id: 'delete-during-script',
    says: 'What DELETE does to a session whose script runs is not said. The suite looks for the row that the script writes.',
    source: 'Claris: Data API guide, log out of a database session (silent on running scripts)',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload())),
      arrange('a script is running'),
      start(bareCall('delete', 'DELETE /databases/{database}/sessions/{token}', { expect: ok })),
      { do: 'join', name: 'delete', atMost: 'long' },
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      { do: 'join', name: 'delete' },
      arrange('all scripts are over'),
      otherLogIn,
      otherCall('look for its row', 'POST /databases/{database}/layouts/{keyLayout}/_find', {
        body: { query: [{ '{keyField}': '=={key}' }] },
      }),
    ],
    afterwards: [otherLogOut],
    questions: [
      {
        id: 'deleteDuringScript',
        asks: 'Does the script go on, is it cut, or does DELETE wait for it?',
        either: [
          { shows: 'waits', when: { delete: { after: 'let scripts go' }, 'look for its row': ok } },
          { shows: 'survives', when: { delete: { before: 'let scripts go' }, 'look for its row': ok } },
          { shows: 'cut', when: { 'look for its row': refused('401') } },
        ],
      },
    ],
  },
  {
    id: 'disconnect-during-script',
    says: 'A session that is closed from outside while a call runs in it: that call gets 112, its token is void.',
    source: 'FMDataAPI: CommunicationProvider.php',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload(), { expect: refused('112') })),
      arrange('a script is running'),
      arrange('disconnect the sessions'),
      { do: 'join', name: 'run' },
      call('use the token', LAYOUTS, { expect: invalidToken }),
      arrange('let scripts go'),
      arrange('all scripts are over'),
    ],
    afterwards: [logOut],
  },
  {
    id: 'restart',
    says: 'No token survives a restart of the Data API engine. Whether a running script does is not said.',
    source: 'Soliant: fm-data-api-client pull request 7; fmdata issue 157; Claris: Server help, Data API settings',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload())),
      arrange('a script is running'),
      arrange('restart the engine'),
      { do: 'join', name: 'run' },
      arrange('let scripts go'),
      arrange('all scripts are over'),
      call('use the token', LAYOUTS, { expect: { code: anythingBut('0') } }),
      otherLogIn,
      otherCall('look for its row', 'POST /databases/{database}/layouts/{keyLayout}/_find', {
        body: { query: [{ '{keyField}': '=={key}' }] },
      }),
    ],
    also: [
      {
        says: 'the call that was under way is no success',
        holds: ({ answer, value }) => answer('run').status === null || value('run', 'messages[0].code') !== '0',
      },
    ],
    afterwards: [otherLogOut],
    questions: [
      {
        id: 'restartScripts',
        asks: 'Does a running script outlive the restart?',
        either: [
          { shows: 'survives', when: { 'look for its row': ok } },
          { shows: 'cut', when: { 'look for its row': refused('401') } },
        ],
      },
    ],
  },
  {
    id: 'client-abort',
    says: 'A client cannot stop a script that it started; what a closed connection does is not said.',
    source: 'Claris: Pro help, Allow User Abort',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload())),
      arrange('a script is running'),
      { do: 'abandon', name: 'run' },
      arrange('the server has noticed'),
      arrange('let scripts go'),
      arrange('all scripts are over'),
      findKey('look for its row'),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'clientAbort',
        asks: 'Does a script go on when the connection closes?',
        either: [
          { shows: 'survives', when: { 'look for its row': ok } },
          { shows: 'cut', when: { 'look for its row': refused('401') } },
        ],
      },
    ],
  },
  {
    id: 'abandoned-in-the-queue',
    says: 'A script call that waits behind another on one token, and whose client goes away: is it still carried out?',
    source: 'no source; follows from the queue (proofsh/fmdapi issue 18)',
    steps: [
      logIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload(), { expect: ok })),
      arrange('a script is running'),
      start(script('waiting run', '{script}', payload('{key}-2'))),
      arrange('one more request has arrived'),
      { do: 'abandon', name: 'waiting run' },
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      arrange('all scripts are over'),
      findKey('look for its row', '{key}-2'),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'abandonedQueuedRequest',
        asks: 'Is a waiting call of a client that has gone carried out?',
        either: [
          { shows: 'runs', when: { 'look for its row': ok } },
          { shows: 'dropped', when: { 'look for its row': refused('401') } },
        ],
      },
    ],
  },
];
