// The script kit in filemaker/ against what the bridge and its simulator use: names, states, codes, and the snippets against
// their listings. The listings' logic is held by testing/filemaker-simulator/src/kit.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SHOP_DATABASE } from '../../../testing/filemaker-simulator/src/shop-database';
import { judgeScriptAnswer } from './script-verdict';

const root = join(__dirname, '../../..');
const text = (file: string): string => readFileSync(join(root, file), 'utf8');
const readme = text('filemaker/README.md');
interface Listing {
  name: string;
  text: string;
  xmlFile: string;
}
interface Step {
  line: number;
  name: string;
}
const { listings, snippet } = require(join(root, 'filemaker/tool/make-snippets.cjs')) as {
  listings: () => Listing[];
  snippet: (listing: string) => string;
};
const { readListing } = require(join(root, 'filemaker/tool/listing.cjs')) as {
  readListing: (listing: string) => Step[];
};

/** Rows of the table under a line that holds `after`, its head and rule left out. */
function tableAfter(after: string): string[][] {
  const lines = readme.slice(readme.indexOf(after)).split('\n');
  const from = lines.findIndex((line) => line.startsWith('| '));
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'));
  return lines.slice(from + 2, from + length).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

describe('the tables of the kit', () => {
  test.each([
    ['log', '**1. The log'],
    ['handoff', '**2. The hand-off'],
  ])('the README defines %s with the fields and types that the simulator has', (table, after) => {
    const fields = SHOP_DATABASE.tables[table]?.map(({ name, type = 'text' }) => [name, type]);
    expect(tableAfter(after).map(([name, type]) => [name, type])).toEqual(fields);
    expect(SHOP_DATABASE.tables[table]?.[0]).toMatchObject({ unique: 'always', required: 'always' });
  });

  test('layouts are named as in the simulator and the sample settings', () => {
    for (const layout of ['bridge_log', 'bridge_handoff', 'web_invoices'])
      expect([layout, layout in SHOP_DATABASE.layouts]).toEqual([layout, true]);
    expect(readme).toContain('FILEMAKER_LOG_LAYOUT=bridge_log');
    expect(readme).toContain('FILEMAKER_HANDOFF_LAYOUT=bridge_handoff');
  });

  test('every variable that it names exists, with the default that the kit relies on', () => {
    const pages = text('docs/configuration.md');
    const named = [...new Set(readme.match(/FILEMAKER_[A-Z_]+[A-Z]/g))];
    expect(named.length).toBeGreaterThanOrEqual(8);
    for (const name of named) expect([name, pages.includes(`| \`${name}\``)]).toEqual([name, true]);
    const config = text('packages/config/src/load-config.ts');
    for (const field of ['idempotency_key', 'state', 'result']) expect(config).toContain(`'${field}'`);
  });

  test("the fields and rows of the worker's performers are the kit's", () => {
    const performer = text('apps/worker/src/performers/filemaker-script.ts');
    const handoff = SHOP_DATABASE.tables.handoff?.map(({ name }) => name);
    const used = [...performer.matchAll(/const HANDOFF_[A-Z]+ = '(\w+)'/g)].map(([, name]) => name);
    expect(used).toEqual(['idempotency_key', 'payload']);
    expect(handoff).toEqual(expect.arrayContaining(used));
    expect(performer).toContain('JSON.stringify({ handoff: effect.key })');
    for (const { name, text: listing } of listings())
      if (name.startsWith('STRIPE')) expect(listing).toContain('JSONGetElement ( $text ; "handoff" )');
    const ask = text('apps/worker/src/performers/ask-filemaker.ts');
    for (const state of ['done', 'sentinel']) {
      expect(ask).toContain(`'${state}'`);
      expect(tableAfter('**1. The log')[1]?.[2]).toContain(state);
    }
    expect(text('apps/worker/src/create-worker.ts')).toContain('bridge-sentinel-$');
    expect(readme).toContain('bridge-sentinel-…');
  });

  test('the scripts write exactly the fields of the log', () => {
    const fields = SHOP_DATABASE.tables.log?.map(({ name }) => name).sort();
    for (const { name, text: listing } of listings().filter((one) => one.name.startsWith('STRIPE'))) {
      const written = [...listing.matchAll(/Set Field \[ bridge_log::(\w+) ;/g)].map(([, field]) => field);
      expect([name, [...new Set(written)].sort()]).toEqual([name, fields]);
    }
  });

  test("the example of the company's script writes fields that the simulator's shop has", () => {
    const work = listings().find(({ name }) => name.startsWith('Our work'))?.text ?? '';
    const written = [...work.matchAll(/Set Field \[ (\w+)::(\w+) ;/g)];
    expect(written.length).toBeGreaterThan(8);
    for (const [, table = '', field] of written)
      expect([table, field, SHOP_DATABASE.tables[table]?.some(({ name }) => name === field)]).toEqual([
        table,
        field,
        true,
      ]);
  });
});

describe("the kit's answers", () => {
  const KEY = 'invoice-paid:cs_test_a1B2';
  const answers = JSON.parse(text('filemaker/answers.json')) as { when: string; answer: Record<string, unknown> }[];
  const fields = tableAfter('One JSON object, for every ending').map(([field]) => field);
  const codes = tableAfter('| code              | ok');

  test('every example has the fields of the README, in that order, and every code has an example', () => {
    for (const { when, answer } of answers) expect([when, Object.keys(answer)]).toEqual([when, fields]);
    expect([...new Set(answers.map(({ answer }) => String(answer.code)))]).toEqual(codes.map(([code]) => code));
  });

  test.each(codes)('code %s, ok %s, ran %s', (code, ok, ran, _means, verdict) => {
    const examples = answers.filter(({ answer }) => String(answer.code) === code);
    expect(examples.length).toBeGreaterThan(0);
    for (const { answer } of examples) {
      expect([String(answer.ok), String(answer.ran)]).toEqual([ok, ran]);
      const judged = judgeScriptAnswer(
        { scriptError: '0', scriptResult: JSON.stringify(answer) },
        { contract: 'kit', key: KEY },
      );
      expect(judged.code).toBe(answer.duplicate === true ? 'SCRIPT_DUPLICATE' : verdict);
    }
  });

  test('the scripts use these codes and no others', () => {
    const used = new Set<string>();
    for (const { text: listing } of listings().filter(({ name }) => !name.startsWith('Our work'))) {
      for (const [, word = ''] of listing.matchAll(/"([A-Z]+_[A-Z_]*[A-Z])"/g)) used.add(word);
      for (const [, number = ''] of listing.matchAll(/"code" ; (\d+)/g)) used.add(number);
      for (const [, number = ''] of listing.matchAll(/\$code ; Value: (?:If \( .* ; )?(\d{3,4})/g)) used.add(number);
    }
    used.delete('ABCDEFGHIJKLMNOPQRSTUVWXYZ_');
    expect([...used].sort()).toEqual(
      [...codes.map(([code = '']) => code).filter((code) => code !== 'CREDIT_LIMIT'), 'TRANSACTION_ENDED'].sort(),
    );
  });

  test('every envelope field is set by the scripts', () => {
    for (const { name, text: listing } of listings().filter((one) => one.name.startsWith('STRIPE')))
      for (const field of fields)
        expect([name, field, listing.includes(`[ "${field}" ; `)]).toEqual([name, field, true]);
  });
});

/** Elements of a document in order; throws where tags do not close each other or a character is not allowed. */
function elements(xml: string): { name: string; attributes: Record<string, string>; depth: number; text: string }[] {
  const found: ReturnType<typeof elements> = [];
  const open: ReturnType<typeof elements> = [];
  const piece = /<\?xml[^?]*\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([A-Za-z]+)((?: [A-Za-z]+="[^"<&]*")*)(\/?)>|([^<]+)/y;
  while (piece.lastIndex < xml.length) {
    const at = piece.lastIndex;
    const match = piece.exec(xml);
    if (match === null) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 60)}`);
    const [, cdata, closing, name, attributes = '', empty, content] = match;
    if (content !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot|apos);)/.test(content)) throw new Error(`a bare & at ${at}`);
      const last = open.at(-1);
      if (last !== undefined) last.text += content;
      else if (content.trim() !== '') throw new Error(`text outside of the document at ${at}`);
    } else if (cdata !== undefined) {
      const last = open.at(-1);
      if (last === undefined) throw new Error('CDATA outside of the document');
      last.text += cdata;
    } else if (name !== undefined && closing === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> at ${at} closes another element`);
    } else if (name !== undefined) {
      const pairs = [...attributes.matchAll(/([A-Za-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]);
      const element = {
        name,
        attributes: Object.fromEntries(pairs) as Record<string, string>,
        depth: open.length,
        text: '',
      };
      found.push(element);
      if (empty === '') open.push(element);
    }
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  return found;
}

describe('the snippets for the clipboard', () => {
  test('every listing has one, and no other XML lies there', () => {
    const folder = join(root, 'filemaker/scripts');
    const names = (ending: string): string[] =>
      readdirSync(folder)
        .filter((file) => file.endsWith(ending))
        .map((file) => file.slice(0, -ending.length));
    expect(names('.txt').length).toBe(4);
    expect(names('.xml')).toEqual(names('.txt'));
  });

  test.each(listings().map((listing) => [listing.name, listing] as const))(
    '%s',
    (_name, { text: listing, xmlFile }) => {
      const xml = readFileSync(xmlFile, 'utf8');
      // npx node filemaker/tool/make-snippets.cjs
      expect(xml).toBe(snippet(listing));
      const all = elements(xml);
      expect(all[0]).toMatchObject({ name: 'fmxmlsnippet', attributes: { type: 'FMObjectList' } });
      const steps = all.filter(({ name }) => name === 'Step');
      const lines = listing.trimEnd().split('\n');
      expect(steps.length).toBe(lines.length);
      // Read without the generator: each line begins with its step's name, and holds all of its calculations.
      let at = -1;
      for (const element of all.slice(1)) {
        if (element.name === 'Step') at += 1;
        const line = lines[at]?.trim() ?? '';
        if (element.name === 'Step') {
          const shown = element.attributes.name === '# (comment)' ? '#' : (element.attributes.name ?? '?');
          expect([at, line === '' ? '#' : line.slice(0, shown.length)]).toEqual([at, shown]);
          expect(element.attributes).toMatchObject({ enable: 'True', id: expect.stringMatching(/^\d+$/) });
        }
        if (element.name === 'Calculation' && element.text !== '1')
          expect([at, line.includes(element.text)]).toEqual([at, true]);
        if (element.name === 'Name') expect(line).toContain(`[ ${element.text} ;`);
        if (element.name === 'Field')
          expect(line).toContain(`[ ${element.attributes.table}::${element.attributes.name} ;`);
        if (element.name === 'Script') expect(line).toContain(`"${element.attributes.name}"`);
        if (element.name === 'Text')
          expect(line).toContain(element.text.replaceAll('&quot;', '"').replaceAll('&amp;', '&'));
      }
    },
  );

  test('one step has one number, and numbers are not shared', () => {
    const numbers = new Map<string, Set<string>>();
    for (const { xmlFile } of listings())
      for (const { name, attributes } of elements(readFileSync(xmlFile, 'utf8')))
        if (name === 'Step')
          numbers.set(attributes.id ?? '', (numbers.get(attributes.id ?? '') ?? new Set()).add(attributes.name ?? ''));
    expect([...numbers.values()].filter((names) => names.size > 1)).toEqual([]);
  });

  test('what is not well-formed is noticed', () => {
    for (const broken of ['<a><b></a></b>', '<a>&</a>', '<a', '<a></a>x', '<a b="<"/>', '<a>'])
      expect(() => elements(broken)).toThrow();
  });
});

describe('the listings', () => {
  test.each([
    ['a transaction inside of an If', 'If [ 1 ]\n    Open Transaction [ ]\n    Commit Transaction\nEnd If\n'],
    ['a block that is not closed', 'If [ 1 ]\n'],
    ['an indentation that lies', 'If [ 1 ]\nExit Script [ Text Result: "" ]\nEnd If\n'],
    ['a step that the kit does not know', 'New Window [ Style: Document ]\n'],
    ['a calculation that does not close', 'If [ Left ( "a" ; 1 ]\nEnd If\n'],
  ])('refuse %s', (_what, listing) => {
    expect(() => readListing(listing)).toThrow(/line|not closed/);
  });

  test('call only scripts that lie here, and steps that a FileMaker before 19.6 lacks stand in one listing only', () => {
    const names = listings().map(({ name }) => name);
    for (const { name, text: listing } of listings()) {
      for (const [, called] of listing.matchAll(/Perform Script \[ From list ; "([^"]+)"/g))
        expect(names).toContain(called);
      const modern = /Transaction/.test(listing.replace(/^\s*#.*$/gm, ''));
      expect([name, modern]).toEqual([name, name === 'STRIPE_PAYMENTLINK_SUCCESS']);
    }
  });

  test('every link of the kit leads somewhere', () => {
    for (const file of ['README.md', 'test-plan.md'])
      for (const [, target = ''] of text(`filemaker/${file}`).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
        expect([file, target, existsSync(join(root, 'filemaker', decodeURIComponent(target)))]).toEqual([
          file,
          target,
          true,
        ]);
  });
});
