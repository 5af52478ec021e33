import type { ContractCase } from '../contract-case';
import { listOf } from '../wants';
import { call, create, FIND, findKey, logIn, logOut, ok, ROWS, refused, removeKey } from './requests';

const found = (count: number) => ({ ...ok, body: { 'response.dataInfo.foundCount': count } }) as const;

/** How records are found; the cross-check of the bridge rests on these. */
export const findCases: readonly ContractCase[] = [
  {
    id: 'find-nothing',
    says: 'Nothing found is code 401; the HTTP status beside it differs between sources.',
    source: 'Claris: Pro help, error codes (401); fmdata, proofkit (other HTTP statuses)',
    steps: [logIn, findKey('find', '{key}-none', { expect: refused('401') })],
    afterwards: [logOut],
    questions: [
      {
        id: 'httpStatuses.401',
        asks: 'Under which HTTP status does 401 come?',
        either: [
          { shows: '500', when: { find: { status: 500 } } },
          { shows: '400', when: { find: { status: 400 } } },
          { shows: '404', when: { find: { status: 404 } } },
          { shows: '200', when: { find: { status: 200 } } },
        ],
      },
    ],
  },
  {
    id: 'find-exactly',
    says: '`==` matches the whole field: a longer value that begins alike is not found.',
    source: 'Claris: Go help, find operators',
    steps: [
      logIn,
      create('create', '{key}-1', { expect: ok }),
      create('create a longer one', '{key}-10', { expect: ok }),
      findKey('find', '{key}-1', {
        expect: { ...ok, body: { 'response.data': listOf(1), 'response.data[0].fieldData.{keyField}': '{key}-1' } },
      }),
    ],
    afterwards: [...removeKey('{key}-1', 'A'), ...removeKey('{key}-10', 'B'), logOut],
  },
  {
    id: 'find-many-keys',
    says: 'Objects in `query` are OR-ed, fields inside one are AND-ed, `omit` takes away. So many keys are asked for in one call.',
    source: 'Claris: Data API guide, perform a find request; proofkit: SKILL.md',
    steps: [
      logIn,
      create('create', '{key}-a', { expect: ok }),
      create('create another', '{key}-b', { expect: ok }),
      call('either', `POST ${FIND}`, {
        body: { query: [{ '{keyField}': '=={key}-a' }, { '{keyField}': '=={key}-b' }, { '{keyField}': '=={key}-c' }] },
        expect: found(2),
      }),
      call('both at once', `POST ${FIND}`, {
        body: { query: [{ '{keyField}': '=={key}-a', '{textField}': '=={key}' }] },
        expect: refused('401'),
      }),
      call('without one', `POST ${FIND}`, {
        body: {
          query: [
            { '{keyField}': '=={key}-a' },
            { '{keyField}': '=={key}-b' },
            { '{keyField}': '=={key}-b', omit: 'true' },
          ],
        },
        expect: { ...found(1), body: { 'response.data[0].fieldData.{keyField}': '{key}-a' } },
      }),
    ],
    afterwards: [...removeKey('{key}-a', 'A'), ...removeKey('{key}-b', 'B'), logOut],
  },
  {
    id: 'find-a-page',
    says: '`limit` and `offset` (from 1) may be texts; foundCount tells how many there are, returnedCount how many came.',
    source: 'Claris: Data API guide, perform a find request, get a range of records',
    steps: [
      logIn,
      create('create', '{key}-a', { expect: ok }),
      create('create another', '{key}-b', { expect: ok }),
      call('first page', `POST ${FIND}`, {
        body: {
          query: [{ '{keyField}': '=={key}-a' }, { '{keyField}': '=={key}-b' }],
          limit: '1',
          sort: [{ fieldName: '{keyField}', sortOrder: 'ascend' }],
        },
        expect: {
          ...ok,
          body: {
            'response.data': listOf(1),
            'response.data[0].fieldData.{keyField}': '{key}-a',
            'response.dataInfo.foundCount': 2,
            'response.dataInfo.returnedCount': 1,
          },
        },
      }),
      call('second page', `POST ${FIND}`, {
        body: {
          query: [{ '{keyField}': '=={key}-a' }, { '{keyField}': '=={key}-b' }],
          limit: '1',
          offset: '2',
          sort: [{ fieldName: '{keyField}', sortOrder: 'ascend' }],
        },
        expect: { ...ok, body: { 'response.data[0].fieldData.{keyField}': '{key}-b' } },
      }),
      call('list one', `GET ${ROWS}`, {
        query: { _limit: '1' },
        expect: { ...ok, body: { 'response.data': listOf(1) } },
      }),
    ],
    afterwards: [...removeKey('{key}-a', 'A'), ...removeKey('{key}-b', 'B'), logOut],
  },
  {
    id: 'find-with-operators',
    says: 'Operators work inside `==` too: `@` is any one character, and a backslash makes it itself.',
    source: 'Claris: Go help, find operators',
    steps: [
      logIn,
      create('create', '{key}@x', { expect: ok }),
      create('create another', '{key}Ax', { expect: ok }),
      call('any character', `POST ${FIND}`, { body: { query: [{ '{keyField}': '=={key}@x' }] }, expect: found(2) }),
      call('that character', `POST ${FIND}`, { body: { query: [{ '{keyField}': '=={key}\\@x' }] }, expect: found(1) }),
    ],
    afterwards: [...removeKey('{key}@x'), logOut],
  },
  {
    id: 'find-in-other-case',
    says: 'Whether a find minds upper and lower case depends on the language of the field.',
    source: 'no Claris page found that says it for the Data API',
    steps: [logIn, create('create', '{key}-Mixed', { expect: ok }), findKey('find', '{key}-MIXED')],
    afterwards: [...removeKey('{key}-Mixed'), logOut],
    questions: [
      {
        id: 'findIgnoresCase',
        asks: 'Does a find ignore case?',
        either: [
          { shows: 'true', when: { find: ok } },
          { shows: 'false', when: { find: refused('401') } },
        ],
      },
    ],
  },
  {
    id: 'find-without-criteria',
    says: 'A find without criteria is refused; it does not give everything.',
    source: 'Claris: Pro help, error codes (400)',
    steps: [logIn, call('find', `POST ${FIND}`, { body: { query: [{}] }, expect: refused('400') })],
    afterwards: [logOut],
  },
];
