import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bridgeFileSchema, type FactScript } from '@bridge/config';
import { createFileMakerClient } from '@bridge/filemaker-client';
import type { PayloadProfile } from '@bridge/payload-builder';
import { payloadProfile } from '../../../../flows/invoices/decide-payment';
import { CART_LINES_MEASURED_MAX, measureCartLines, payloadProfileOf } from './cart-lines';
import { FILEMAKER_FAULT_CODES, fault } from './faults';
import { judgeAccount, judgeKitLog, judgeScripts, KIT_LOG_FIELDS } from './judge-names';

const settings = bridgeFileSchema.parse({}).invoices.payload;
const full: PayloadProfile = payloadProfileOf(settings);
const client = createFileMakerClient({
  url: 'https://fm.example.com',
  database: 'Shop',
  username: 'bridge',
  password: 'x',
  timeoutMs: 1_000,
});
afterAll(() => client.close());
const urlLength = (parameter: string): number =>
  client.scriptUrlLength({ layout: 'web_invoices', script: 'STRIPE_PAYMENTLINK_SUCCESS', parameter });

describe('cart lines that fit into a URL', () => {
  test('one line more does not fit, and the shorter payload carries more lines', () => {
    const measured = measureCartLines(full, urlLength);
    expect(measured.fit).toBeGreaterThanOrEqual(1);
    expect(measured.urlCharacters).toBeLessThanOrEqual(2_000);
    // A line of a usual cart takes more than a hundred characters of URL.
    expect(measured.urlCharacters).toBeGreaterThan(2_000 - 400);
    const article = measureCartLines({ ...full, fields: 'article' }, urlLength);
    expect(article.fit).toBeGreaterThan(measured.fit);
  });

  test('a URL that is too long without any line fits none, and one without limit ends the count', () => {
    expect(measureCartLines(full, (parameter) => urlLength(parameter) + 2_000).fit).toBe(0);
    expect(measureCartLines(full, () => 1).fit).toBe(CART_LINES_MEASURED_MAX);
  });

  test('the profile is the one that the invoices flow sends with', () => {
    const other = bridgeFileSchema.parse({
      invoices: {
        payload: { fields: 'article', unit_price: 'line_total', shipping_item: { code: 'S', name: 'Freight' } },
      },
    }).invoices.payload;
    for (const payload of [settings, other]) {
      const flow = payloadProfile({ payload } as Parameters<typeof payloadProfile>[0]);
      expect(payloadProfileOf(payload)).toEqual(flow);
    }
  });
});

const paid: FactScript = { layout: 'web_invoices', script: 'PAID', contract: 'kit', probe: undefined };
const codes = ({ faults }: { faults: { code: string; about: string | null }[] }) =>
  faults.map(({ code, about }) => [code, about]);

describe('names', () => {
  const seen = (layouts: string[], scripts: string[]) => ({ layouts: new Set(layouts), scripts });

  test('a script that stands twice in the file is a fault: which of them runs is not defined', () => {
    expect(codes(judgeScripts(seen(['web_invoices'], ['PAID', 'PAID', 'OTHER']), [paid]))).toEqual([
      ['SCRIPT_NAMED_TWICE', 'PAID'],
    ]);
  });

  test('each missing layout and script is told once, however many facts need it', () => {
    const wanted = [paid, { ...paid, script: 'REFUND' }];
    expect(codes(judgeScripts(seen([], ['PAID']), wanted))).toEqual([
      ['LAYOUT_MISSING', 'web_invoices'],
      ['SCRIPT_MISSING', 'REFUND'],
    ]);
  });

  test('what log, hand-off and probes need is not too much; of a long list the first names are shown', () => {
    const probe = { layout: 'probe', field: 'id', match: 'checkout_session_id' } as const;
    const filemaker = {
      log: { layout: 'log', keyField: 'k', stateField: 's', resultField: 'r' },
      handoffLayout: 'handoff',
    };
    const needed = ['web_invoices', 'log', 'handoff', 'probe'];
    expect(codes(judgeAccount(seen(needed, ['PAID']), [{ ...paid, probe }], filemaker))).toEqual([]);
    const more = Array.from({ length: 11 }, (_, index) => `more ${index}`);
    expect(codes(judgeAccount(seen([...needed, ...more], ['PAID', 'X']), [{ ...paid, probe }], filemaker))).toEqual([
      ['MORE_LAYOUTS_THAN_NEEDED', `${more.slice(0, 8).join(', ')} and 3 more`],
      ['MORE_SCRIPTS_THAN_NEEDED', 'X'],
    ]);
  });
});

describe("the fields of the kit's log", () => {
  const log = { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' };

  test('each one that the layout does not show is told by its name; what the check looks at anyway is not told twice', () => {
    expect(codes({ faults: judgeKitLog(log, new Set(KIT_LOG_FIELDS), [paid]) })).toEqual([]);
    const told = codes({ faults: judgeKitLog(log, new Set(['result']), [paid]) });
    expect(told).toEqual([
      ['LOG_KIT_FIELD_MISSING', 'script'],
      ['LOG_HASH_MISSING', 'payload_hash'],
      ...['invoice_id', 'started_at', 'finished_at', 'attempt'].map((field) => ['LOG_KIT_FIELD_MISSING', field]),
    ]);
    // The bridge reads another field than the kit writes.
    const renamed = { ...log, resultField: 'answer' };
    const shown = new Set([...KIT_LOG_FIELDS, 'answer'].filter((field) => field !== 'result'));
    expect(codes({ faults: judgeKitLog(renamed, shown, [paid]) })).toEqual([['LOG_KIT_FIELD_MISSING', 'result']]);
  });

  test('nothing is asked of a log that is not the kit’s, nor where no script is the kit’s', () => {
    expect(judgeKitLog({ ...log, layout: 'our_log' }, new Set(), [paid])).toEqual([]);
    expect(judgeKitLog(log, new Set(), [{ ...paid, contract: 'plain' }])).toEqual([]);
  });

  test('they are those that the listings write', () => {
    const kitFolder = join(__dirname, '../../../../filemaker/scripts');
    const listing = readFileSync(join(kitFolder, 'STRIPE_PAYMENTLINK_SUCCESS.txt'), 'utf8');
    const written = [...listing.matchAll(/Set Field \[ bridge_log::(\w+) ;/g)].map(([, field]) => field);
    expect([...written].sort()).toEqual([...KIT_LOG_FIELDS].sort());
    expect(listing).toContain('Go to Layout [ "bridge_log" ]');
  });
});

test.each(FILEMAKER_FAULT_CODES.map((code) => [code]))(
  '%s says what, why and what to do, in whole sentences',
  (code) => {
    const told = fault(code, 'ABOUT');
    for (const text of [told.what, told.why]) expect(text).toMatch(/^["A-ZAW].*[.]$/);
    expect(told.todo.length).toBeGreaterThan(10);
    expect(JSON.stringify(told)).not.toContain('{about}');
  },
);

test('every code is planted in a test of its own, as a process', () => {
  const planted = readFileSync(join(__dirname, '../../../cli/src/filemaker.e2e.test.ts'), 'utf8');
  // The simulator cannot have two scripts of one name; above.
  const missing = FILEMAKER_FAULT_CODES.filter((code) => code !== 'SCRIPT_NAMED_TWICE' && !planted.includes(code));
  expect(missing).toEqual([]);
});
