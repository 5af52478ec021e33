// docs/filemaker-errors.md against the table and against every stable code in the sources.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILEMAKER_CODE_TABLE } from './error-codes';
import { judgeApiCode, judgeTransport } from './judge-failure';

const generator = require('../../../tooling/generate-filemaker-errors.cjs');
const { ourCodes } = require('../../../tooling/our-codes.cjs') as {
  ourCodes: { title: string; codes: Record<string, [meaning: string, todo: string]> }[];
};

const root = join(__dirname, '../../..');
const committed = readFileSync(join(root, 'docs/filemaker-errors.md'), 'utf8');
const explained = ourCodes.flatMap(({ codes }) => Object.keys(codes));

/** Where codes are made that an operator meets at a row, a halt or a job. */
const places = [
  'packages/{filemaker-client,stripe-client,session-pool,payload-builder,effects,flow,gates,installation}/src/**/*.ts',
  'packages/inbox/src/event-life.ts',
  'apps/worker/src/**/*.ts',
  'flows/invoices/*.ts',
];
/** Words in capitals that are no code of ours, or never reach an operator. */
const otherWords = new Set([
  'BAD_PARAM', // the kit's, turned into SCRIPT_BAD_PARAMETER
  'KEY_CONFLICT', // the kit's, turned into SCRIPT_KEY_CONFLICT
  'LOG_ROW_MISSING', // the kit's, turned into SCRIPT_ROW_MISSING
  'TRANSACTION_ROLLED_BACK',
  'EFFECT_CLAIM_LOST',
  'EVENT_CLAIM_LOST',
  'TIME_LIMIT',
  // Why FileMaker's log says nothing about a payment; counted by a reconciliation as not asked about.
  'NO_LOG',
  'CUT_SHORT',
  'LOG_UNREADABLE',
  // Notices beside a payload that was built; the one that matters is parked as captured-less.
  'PRODUCT_MISSING',
  'LINE_SPLIT',
  'BREAKDOWN_DIFFERS',
  'CAPTURED_LESS',
]);

function codesInSources(): Set<string> {
  const files = places.flatMap((place) => globSync(place, { cwd: root }));
  const found = new Set<string>();
  for (const file of files) {
    if (file.endsWith('.test.ts')) continue;
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, code] of text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PAUSED)'/g)) found.add(code ?? '');
    for (const [, code] of text.matchAll(/(?:reasonCode|code): '([a-z]+(?:-[a-z]+)+)'/g)) found.add(code ?? '');
  }
  return found;
}

/** Variables of the configuration, and codes of undici and Node, look the same. */
const isOurs = (code: string): boolean =>
  !otherWords.has(code) && !/^(UND_ERR|ERR|HPE)_/.test(code) && !committedVariables.has(code);
const committedVariables = new Set(
  [...readFileSync(join(root, 'docs/configuration.md'), 'utf8').matchAll(/^\| `([A-Z_]+)`/gm)].map(([, name]) => name),
);

test('the page is what the generator makes of the table (npx node tooling/generate-filemaker-errors.cjs)', () => {
  expect(committed).toBe(generator.errorPage({ FILEMAKER_CODE_TABLE, judgeApiCode, judgeTransport }));
});

test('every number of the table stands on the page beside our code for it', () => {
  for (const { codes, code } of FILEMAKER_CODE_TABLE) {
    const shown = codes.map((one) => (typeof one === 'number' ? `${one}` : `${one[0]}–${one[1]}`)).join(', ');
    const row = committed.split('\n').find((line) => line.startsWith(`| ${shown} `));
    expect([shown, row?.includes(`\`${code}\``)]).toEqual([shown, true]);
  }
});

test('every code that an operator can meet is explained, with what to do', () => {
  const onThePage = (code: string): boolean => committed.includes(`\`${code}\``);
  expect([...codesInSources()].filter((code) => isOurs(code) && !onThePage(code))).toEqual([]);
});

test('no code is explained that the sources do not have, and none twice', () => {
  const found = codesInSources();
  expect(explained.filter((code) => !found.has(code))).toEqual([]);
  expect(explained.filter((code, index) => explained.indexOf(code) !== index)).toEqual([]);
});

test('every halt of the sources has an advice, and every advice a halt', () => {
  const source = readFileSync(join(__dirname, 'filemaker-error.ts'), 'utf8');
  const union = /export type FileMakerHalt =([^;]+);/.exec(source)?.[1] ?? '';
  const halts = [...union.matchAll(/'([a-z-]+)'/g)].map(([, halt]) => halt);
  expect(Object.keys(generator.haltAdvice).sort()).toEqual(halts.sort());
});

test('the halts that close one script are those of the worker', () => {
  const source = readFileSync(join(root, 'apps/worker/src/performers/filemaker-failure.ts'), 'utf8');
  const listed = /SCRIPT_HALTS[^=]*= new Set\(\[([^\]]+)\]/.exec(source)?.[1] ?? '';
  expect([...listed.matchAll(/'([a-z-]+)'/g)].map(([, halt]) => halt)).toEqual(generator.scriptHalts);
});
