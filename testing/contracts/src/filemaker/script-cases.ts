import type { ContractCase } from '../contract-case';
import { absent, aFilledText, anythingBut, aRefusalStatus, aText, oneOf } from '../wants';
import { arrange } from './arrangements';
import { editInvoice, findInvoice } from './record-cases';
import {
  asOther,
  call,
  create,
  findKey,
  logIn,
  logOut,
  ok,
  otherLogIn,
  otherLogOut,
  otherScript,
  payload,
  ROWS,
  refused,
  removeKey,
  script,
  start,
} from './requests';

const RESULT = 'response.scriptResult';
/** A parameter that no script does anything with. */
const padded = (length: number): string => `{"contract":"${'x'.repeat(length - 15)}"}`;

/** Scripts: how they are called, what comes back, how long a parameter may be, what a lock does. */
export const scriptCases: readonly ContractCase[] = [
  {
    id: 'script-by-get',
    says: 'A script runs by GET with its parameter in the address; scriptError and scriptResult are texts.',
    source: 'Claris: Data API guide, run a script',
    steps: [
      logIn,
      script('run', '{script}', payload(), {
        expect: { ...ok, body: { 'response.scriptError': aText, [RESULT]: aFilledText } },
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'script-without-result',
    says: 'A script that sets no result leaves scriptResult out; it is not an empty text.',
    source: 'Claris: Data API guide, run a script (its example has scriptError only)',
    steps: [
      logIn,
      script('run', '{silentScript}', payload(), {
        expect: { ...ok, body: { 'response.scriptError': '0', [RESULT]: absent } },
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'script-not-there',
    says: 'An unknown script is code 104, an unknown layout 105; no script has run then.',
    source: 'Claris: Pro help, error codes',
    steps: [
      logIn,
      script('unknown script', '{run}-none', '', {
        expect: { ...refused('104'), body: { 'response.scriptError': absent } },
      }),
      call('unknown layout', 'GET /databases/{database}/layouts/{run}-none/script/{script}', {
        expect: refused('105'),
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'script-by-post',
    says: 'The script endpoint has no POST.',
    source: 'Claris: Data API guide, run a script, write Data API calls',
    steps: [
      logIn,
      call('run', 'POST /databases/{database}/layouts/{layout}/script/{script}', {
        body: {},
        expect: { status: aRefusalStatus, code: anythingBut('0') },
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'script-with-create',
    says: "A create carries a script in its body; the answer has recordId and the script's error and result.",
    source: 'Claris: Data API guide, run a script with another request; proofgeist/WebInbox',
    steps: [
      logIn,
      call('create and run', `POST ${ROWS}`, {
        body: { fieldData: { '{keyField}': '{key}-row' }, script: '{script}', 'script.param': payload('{key}') },
        expect: { ...ok, body: { 'response.recordId': aText, 'response.scriptError': aText, [RESULT]: aFilledText } },
      }),
      findKey('look for the row of the script', '{key}', { expect: ok }),
    ],
    afterwards: [...removeKey('{key}-row'), logOut],
  },
  {
    id: 'scripts-around-a-create',
    says: 'script.prerequest, script.presort and script run around one action; each has its own error and result.',
    source: 'Claris: Data API guide, run a script with another request; fuzzzerd/fmdata: script results',
    steps: [
      logIn,
      call('create and run', `POST ${ROWS}`, {
        body: {
          fieldData: { '{keyField}': '{key}-row' },
          'script.prerequest': '{script}',
          'script.prerequest.param': payload('{key}-1'),
          'script.presort': '{script}',
          'script.presort.param': payload('{key}-2'),
          script: '{script}',
          'script.param': payload('{key}-3'),
        },
        expect: {
          ...ok,
          body: { 'response.recordId': aText, 'response.scriptError': aText },
        },
      }),
    ],
    also: [
      {
        says: 'scriptError.prerequest and scriptError.presort are fields of the answer',
        holds: ({ value }) => {
          const response = value('create and run', 'response');
          const names = typeof response === 'object' && response !== null ? Object.keys(response) : [];
          return ['scriptError.prerequest', 'scriptError.presort'].every((name) => names.includes(name));
        },
      },
    ],
    afterwards: [...removeKey('{key}-row'), logOut],
  },
  {
    id: 'script-with-find',
    says: 'A find carries a script in its body, too.',
    source: 'Claris: Data API guide, run a script with another request',
    steps: [
      logIn,
      create('create', '{key}-row', { expect: ok }),
      findKey('find and run', '{key}-row', {
        body: { query: [{ '{keyField}': '=={key}-row' }], script: '{script}', 'script.param': payload() },
        expect: { ...ok, body: { 'response.dataInfo.foundCount': 1, 'response.scriptError': aText } },
      }),
    ],
    afterwards: [...removeKey('{key}-row'), logOut],
  },
  {
    id: 'script-after-failed-create',
    says: 'Whether the attached script still runs when the create fails is not said.',
    source: 'Claris: Data API guide, run a script with another request (silent on failures)',
    steps: [
      logIn,
      create('create', '{key}-row', { expect: ok }),
      call('create again and run', `POST ${ROWS}`, {
        body: { fieldData: { '{keyField}': '{key}-row' }, script: '{script}', 'script.param': payload() },
        expect: refused('504'),
      }),
      findKey('look for the row of the script'),
    ],
    afterwards: [...removeKey('{key}-row'), logOut],
    questions: [
      {
        id: 'scriptAfterFailedCreate',
        asks: 'Does it run, and is it told?',
        either: [
          { shows: 'skipped', when: { 'look for the row of the script': refused('401') } },
          {
            shows: 'runs',
            when: {
              'look for the row of the script': ok,
              'create again and run': { body: { 'response.scriptError': aText } },
            },
          },
          {
            shows: 'runs-unreported',
            when: {
              'look for the row of the script': ok,
              'create again and run': { body: { 'response.scriptError': absent } },
            },
          },
        ],
      },
    ],
  },
  {
    id: 'script-that-fails',
    says: 'A script that ends with an error is still an envelope with code 0; the error stands in scriptError.',
    source: 'Claris: Data API guide, run a script',
    steps: [
      logIn,
      script('run', '{plainScript}', '{"invoice_id":"{run}-no-such-invoice"}', {
        expect: { code: '0', body: { 'response.scriptError': anythingBut('0', absent) } },
      }),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'httpStatuses.scriptError',
        hasSwitch: false,
        asks: 'Under which HTTP status does a scriptError come?',
        measure: ({ answer }) => String(answer('run').status),
      },
    ],
  },
  {
    id: 'script-that-handles-an-error',
    says: 'Whether an error that a script captured and handled shows in scriptError is not said. The kit finds nothing at first, handles it, and ends well.',
    source: 'Claris: Data API guide, run a script (silent on captured errors)',
    steps: [logIn, script('run', '{script}', payload(), { expect: { ...ok, body: { [`${RESULT}>ok`]: true } } })],
    afterwards: [logOut],
    questions: [
      {
        id: 'handledErrorInScriptError',
        asks: 'Does a handled error show in scriptError?',
        either: [
          { shows: 'false', when: { run: { body: { 'response.scriptError': '0' } } } },
          { shows: 'true', when: { run: { body: { 'response.scriptError': anythingBut('0', absent) } } } },
        ],
      },
    ],
  },
  {
    id: 'kit-runs-once',
    says: 'The kit answers with the key that it was given; the same bytes again run nothing and say duplicate.',
    source: "this project's script kit (its log table and result)",
    steps: [
      logIn,
      script('run', '{script}', payload(), {
        expect: { ...ok, body: { [`${RESULT}>key`]: '{key}', [`${RESULT}>ok`]: true, [`${RESULT}>duplicate`]: false } },
      }),
      script('run again', '{script}', payload(), {
        expect: { ...ok, body: { [`${RESULT}>key`]: '{key}', [`${RESULT}>ok`]: true, [`${RESULT}>duplicate`]: true } },
      }),
      findKey('count its rows', '{key}', { expect: { ...ok, body: { 'response.dataInfo.foundCount': 1 } } }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'kit-and-a-locked-invoice',
    says: 'While somebody edits the invoice the kit refuses with 301 and has done nothing.',
    source: "this project's script kit; Claris: Pro help, record locking",
    steps: [
      logIn,
      arrange('somebody edits the invoice'),
      script('run', '{script}', payload(), {
        expect: { ...ok, body: { [`${RESULT}>ok`]: false, [`${RESULT}>code`]: 301, [`${RESULT}>ran`]: false } },
      }),
      findKey('look for its row', '{key}', { expect: refused('401') }),
      arrange('nobody edits the invoice'),
      script('run again', '{script}', payload(), { expect: { ...ok, body: { [`${RESULT}>ok`]: true } } }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'plain-script-and-its-lock',
    says: 'What a script that commits leaves behind: no lock.',
    source: 'Claris: Pro help, record locking',
    steps: [
      logIn,
      script('run', '{plainScript}', payload(), { expect: { ...ok, body: { 'response.scriptError': '0' } } }),
      otherLogIn,
      asOther(findInvoice()),
      asOther(editInvoice('edit')),
    ],
    afterwards: [logOut, otherLogOut],
    questions: [
      {
        id: 'plainScriptLeavesRecordOpen',
        asks: 'Does the plain script leave its record open?',
        either: [
          { shows: 'false', when: { edit: ok } },
          { shows: 'true', when: { edit: refused('301') } },
        ],
      },
      {
        id: 'plainScriptResult',
        asks: 'Does the plain script set a result?',
        either: [
          { shows: 'text', when: { run: { body: { [RESULT]: aText } } } },
          { shows: 'empty', when: { run: { body: { [RESULT]: absent } } } },
        ],
      },
    ],
  },
  {
    id: 'record-left-open',
    says: 'How long a record stays locked that a script left open: until the script ends, its session ends, or longer?',
    source: 'timdietrich.me: record locking (one lock per record and client); not said for the Data API',
    steps: [
      logIn,
      script('run', '{leavingScript}', payload(), { expect: ok }),
      otherLogIn,
      asOther(findInvoice()),
      asOther(editInvoice('edit after the script')),
      { ...logOut, expect: ok },
      asOther(editInvoice('edit after the session')),
    ],
    afterwards: [otherLogOut],
    questions: [
      {
        id: 'openRecordLock',
        asks: 'Does the lock end with the script or with the session?',
        either: [
          { shows: 'script', when: { 'edit after the script': ok } },
          { shows: 'session', when: { 'edit after the script': refused('301') } },
        ],
      },
      {
        id: 'deleteReleasesOpenRecord',
        asks: 'Does DELETE of the session free the record?',
        either: [
          { shows: 'true', when: { 'edit after the session': ok } },
          { shows: 'false', when: { 'edit after the session': refused('301') } },
        ],
      },
    ],
  },
  {
    id: 'two-scripts-at-once',
    says: 'Scripts of two sessions run at once; whether a limit on scripts (not on sessions) exists is not said for the Data API.',
    source: 'Claris: security guide (scriptsessions); Soliant: limits on server-side scripts',
    steps: [
      logIn,
      otherLogIn,
      arrange('hold scripts'),
      start(script('run', '{slowScript}', payload('{key}-1'), { expect: ok })),
      arrange('a script is running'),
      start(otherScript('run beside it', '{slowScript}', payload('{key}-2'))),
      arrange('one more request has arrived'),
      arrange('let scripts go'),
      { do: 'join', name: 'run' },
      { do: 'join', name: 'run beside it' },
    ],
    afterwards: [logOut, otherLogOut],
    questions: [
      {
        id: 'scriptSessionsMax',
        asks: 'May two scripts run at once?',
        either: [
          { shows: 'two run', when: { 'run beside it': ok } },
          { shows: 'one at a time', when: { 'run beside it': { code: oneOf('812', '956') } } },
        ],
      },
    ],
  },
  {
    id: 'slow-script-and-the-web-server',
    says: 'Whether the web server in front gives up on a slow script is not said.',
    source: 'python-fmrest issue 78; Claris: Data API guide, error responses',
    steps: [
      logIn,
      arrange('scripts take their time'),
      script('run', '{slowScript}', payload()),
      arrange('all scripts are over'),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'proxyReadTimeoutMs',
        asks: 'Does the answer of a script come that takes as long as the slow one?',
        either: [
          { shows: 'the answer comes', when: { run: ok } },
          { shows: 'the web server gives up', when: { run: { status: oneOf(502, 504), json: false } } },
          { shows: 'the connection ends', when: { run: { answered: false } } },
        ],
      },
    ],
  },
  {
    id: 'length-of-the-address',
    says: 'Up to 2,000 characters of address are safe. Longer ones may get no clear answer, or none at all.',
    source: 'Claris: Data API guide, URL and data format notes; 24u/fmRESTor issue 7; airmoi/FileMaker issue 47',
    steps: [
      logIn,
      script('1,500 characters', '{script}', padded(1_500), { expect: ok }),
      script('4,000 characters', '{script}', padded(4_000)),
      script('7,500 characters', '{script}', padded(7_500)),
      script('16,000 characters', '{script}', padded(16_000)),
      script('64,000 characters', '{script}', padded(64_000)),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'requestLineBytesMax',
        asks: 'How long a parameter came through?',
        measure: ({ value }) =>
          ['64,000', '16,000', '7,500', '4,000', '1,500'].find(
            (length) => value(`${length} characters`, 'messages[0].code') === '0',
          ) ?? 'none',
      },
      {
        id: 'oversizeRequestLine',
        asks: 'What becomes of one that is too long?',
        either: [
          { shows: 'nothing', when: { '64,000 characters': { answered: false } } },
          { shows: '414', when: { '64,000 characters': { status: 414 } } },
          { shows: 'another refusal', when: { '64,000 characters': { status: aRefusalStatus } } },
          { shows: 'accepted', when: { '64,000 characters': ok } },
        ],
      },
    ],
  },
  {
    id: 'length-in-the-body',
    says: 'A parameter in the body of a create is not bound to the length of the address; how long it may be is not said for the Data API.',
    source: 'Claris: Pro help, running scripts on server (one million characters there)',
    steps: [
      logIn,
      call('create and run', `POST ${ROWS}`, {
        body: { fieldData: { '{keyField}': '{key}' }, script: '{script}', 'script.param': padded(100_000) },
      }),
    ],
    afterwards: [...removeKey(), logOut],
    questions: [
      {
        id: 'scriptParameterCharsMax',
        asks: 'Does a parameter of 100,000 characters come through in a body?',
        either: [
          { shows: 'accepted', when: { 'create and run': { ...ok, body: { 'response.scriptError': aText } } } },
          { shows: 'refused', when: { 'create and run': { code: anythingBut('0') } } },
        ],
      },
    ],
  },
];
