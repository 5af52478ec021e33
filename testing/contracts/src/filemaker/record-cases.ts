import type { ContractCase } from '../contract-case';
import { absent, aNumber, anythingBut, aText, listOf, nothingInside, textLike } from '../wants';
import { arrange } from './arrangements';
import {
  asOther,
  call,
  create,
  FIND,
  findKey,
  logIn,
  logOut,
  ok,
  otherLogIn,
  otherLogOut,
  ROWS,
  refused,
  removeKey,
  start,
} from './requests';

const aRecordId = textLike(/^\d+$/);
const made = { ...ok, body: { 'response.recordId': aRecordId, 'response.modId': aText } } as const;
const keep = { recordId: 'response.recordId' };

/** Records: created, read, changed, refused, taken away. */
export const recordCases: readonly ContractCase[] = [
  {
    id: 'create-read-delete',
    says: 'A created record answers with recordId and modId as texts; read, it shows fieldData, portalData and dataInfo with counts as numbers; deleted, it is code 101.',
    source: 'Claris: Data API guide, create, get and delete a record',
    steps: [
      logIn,
      call('create', `POST ${ROWS}`, {
        body: { fieldData: { '{keyField}': '{key}', '{textField}': 'contract', '{numberField}': 7 } },
        expect: made,
        keep,
      }),
      call('read', `GET ${ROWS}/{recordId}`, {
        expect: {
          ...ok,
          body: {
            'response.data': listOf(1),
            'response.data[0].recordId': '{recordId}',
            'response.data[0].modId': aText,
            'response.data[0].fieldData.{keyField}': '{key}',
            'response.data[0].fieldData.{textField}': 'contract',
            'response.dataInfo.layout': '{keyLayout}',
            'response.dataInfo.foundCount': 1,
            'response.dataInfo.returnedCount': 1,
            'response.dataInfo.totalRecordCount': aNumber,
          },
        },
      }),
      call('delete', `DELETE ${ROWS}/{recordId}`, { expect: { ...ok, body: { response: nothingInside } } }),
      call('read again', `GET ${ROWS}/{recordId}`, { expect: refused('101') }),
    ],
    afterwards: [...removeKey(), logOut],
    questions: [
      {
        id: 'numbersAs',
        asks: 'Does a number field come back as number or as text?',
        either: [
          { shows: 'number', when: { read: { body: { 'response.data[0].fieldData.{numberField}': 7 } } } },
          { shows: 'string', when: { read: { body: { 'response.data[0].fieldData.{numberField}': '7' } } } },
        ],
      },
    ],
  },
  {
    id: 'edit-with-mod-id',
    says: 'An edit that names another modId changes nothing and is code 306; with the right one it answers with a new modId.',
    source: 'Claris: Data API guide, edit a record',
    steps: [
      logIn,
      create('create', '{key}', { expect: made, keep: { ...keep, modId: 'response.modId' } }),
      call('edit with another modId', `PATCH ${ROWS}/{recordId}`, {
        body: { fieldData: { '{textField}': 'wrong' }, modId: '999999' },
        expect: refused('306'),
      }),
      call('edit with the right one', `PATCH ${ROWS}/{recordId}`, {
        body: { fieldData: { '{textField}': 'right' }, modId: '{modId}' },
        expect: { ...ok, body: { 'response.modId': anythingBut('{modId}', absent) } },
      }),
      call('read', `GET ${ROWS}/{recordId}`, {
        expect: { ...ok, body: { 'response.data[0].fieldData.{textField}': 'right' } },
      }),
    ],
    afterwards: [...removeKey(), logOut],
  },
  {
    id: 'unique-key',
    says: 'A second record with the value of a field that must be unique is code 504, and no second record is there.',
    source: 'Claris: Pro help, error codes (504); Data API guide, create a record',
    steps: [
      logIn,
      create('create', '{key}', { expect: made }),
      create('create it again', '{key}', { expect: refused('504') }),
      findKey('count', '{key}', { expect: { ...ok, body: { 'response.dataInfo.foundCount': 1 } } }),
    ],
    afterwards: [...removeKey(), logOut],
    questions: [
      {
        id: 'httpStatuses.504',
        hasSwitch: false,
        asks: 'Under which HTTP status does 504 come?',
        measure: ({ answer }) => String(answer('create it again').status),
      },
    ],
  },
  {
    id: 'unique-key-in-script-mode',
    says: 'options.entrymode `script` leaves out validations of data entry. How far, for a field that is always validated, is not said.',
    source: 'Claris: Data API guide, create a record',
    steps: [
      logIn,
      create('create', '{key}', { expect: made }),
      call('create it again', `POST ${ROWS}`, {
        body: { fieldData: { '{keyField}': '{key}' }, options: { entrymode: 'script' } },
      }),
    ],
    afterwards: [...removeKey(), logOut],
    questions: [
      {
        id: 'entryModeScriptBypassesAlwaysValidate',
        asks: 'Does it pass by "Validate always"?',
        either: [
          { shows: 'false', when: { 'create it again': refused('504') } },
          { shows: 'true', when: { 'create it again': ok } },
        ],
      },
    ],
  },
  {
    id: 'unique-key-at-the-same-time',
    says: 'Whether two sessions can create one unique value in the same instant is not said.',
    source: 'Claris: Pro help, field validation (silent on simultaneous commits)',
    steps: [
      logIn,
      otherLogIn,
      arrange('records take their time'),
      start(create('create')),
      start(asOther(create('create at the same time'))),
      { do: 'join', name: 'create' },
      { do: 'join', name: 'create at the same time' },
      findKey('count', '{key}', { expect: ok }),
    ],
    afterwards: [...removeKey(), logOut, otherLogOut],
    questions: [
      {
        id: 'uniqueUnderSimultaneousCommits',
        asks: 'Is unique really unique? (Once is no proof of yes.)',
        either: [
          { shows: 'strict', when: { count: { body: { 'response.dataInfo.foundCount': 1 } } } },
          { shows: 'racy', when: { count: { body: { 'response.dataInfo.foundCount': 2 } } } },
        ],
      },
    ],
  },
  {
    id: 'unknown-field-or-layout',
    says: 'Only fields placed on the layout can be used: another name is code 102. A layout that is not there is 105.',
    source: 'Claris: Data API guide, URL and data format notes; Pro help, error codes',
    steps: [
      logIn,
      call('create with an unknown field', `POST ${ROWS}`, {
        body: { fieldData: { '{run}-no-such-field': 'x' } },
        expect: refused('102'),
      }),
      call('find by an unknown field', `POST ${FIND}`, {
        body: { query: [{ '{run}-no-such-field': 'x' }] },
        expect: refused('102'),
      }),
      call('create on an unknown layout', 'POST /databases/{database}/layouts/{run}-none/records', {
        body: { fieldData: {} },
        expect: refused('105'),
      }),
    ],
    afterwards: [logOut],
  },
  {
    id: 'broken-body',
    says: 'A body that is no JSON is refused before anything happens.',
    source: 'Claris: Pro help, error codes (1710); Data API guide, error responses',
    steps: [logIn, call('create', `POST ${ROWS}`, { body: '{ "fieldData": ', expect: { status: 400, code: '1710' } })],
    afterwards: [logOut],
  },
  {
    id: 'record-locked',
    says: 'A record that somebody else edits cannot be changed: code 301. When they are done it can.',
    source: 'Claris: Pro help, error codes (301), record locking',
    steps: [
      logIn,
      findInvoice(),
      arrange('somebody edits the invoice'),
      editInvoice('edit', { expect: refused('301') }),
      arrange('nobody edits the invoice'),
      editInvoice('edit again', { expect: ok }),
    ],
    afterwards: [logOut],
    questions: [
      {
        id: 'httpStatuses.301',
        hasSwitch: false,
        asks: 'Under which HTTP status does 301 come?',
        measure: ({ answer }) => String(answer('edit').status),
      },
    ],
  },
];

/** The operator's test invoice. */
export function findInvoice() {
  return call('find the invoice', 'POST /databases/{database}/layouts/{layout}/_find', {
    body: { query: [{ '{invoiceField}': '=={invoice}' }] },
    expect: ok,
    keep: { invoiceRecord: 'response.data[0].recordId' },
  });
}

/** Writes the value that is there already. */
export function editInvoice(name: string, options: Parameters<typeof call>[2] = {}) {
  return call(name, 'PATCH /databases/{database}/layouts/{layout}/records/{invoiceRecord}', {
    body: { fieldData: { '{invoiceField}': '{invoice}' } },
    ...options,
  });
}
