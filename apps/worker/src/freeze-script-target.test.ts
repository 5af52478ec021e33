import type { FilemakerConfig } from '@bridge/config';
import { createScriptTargets } from './freeze-script-target';
import { scriptTargetSchema } from './performers/script-target';

type Facts = Parameters<typeof createScriptTargets>[0]['invoices']['facts'];
type Script = NonNullable<Facts[keyof Facts]>;
const CALL = { bytes: '{"a":1}', checkoutSessionId: 'cs_1', paymentIntentId: 'pi_1', invoiceId: '18637' };
const LOG = { layout: 'bridge_log', keyField: 'idempotency_key', stateField: 'state', resultField: 'result' };

function setup(script: Partial<Script> = {}, filemaker: Partial<FilemakerConfig> = {}, urlCharacters = 500) {
  const whole = { layout: 'web_invoices', script: 'PAID', contract: 'kit', ...script } as Script;
  const asked: unknown[] = [];
  const targets = createScriptTargets(
    { invoices: { facts: { paid: whole } } } as unknown as Parameters<typeof createScriptTargets>[0],
    { log: LOG, handoffLayout: undefined, ...filemaker } as FilemakerConfig,
    {
      scriptUrlLength: (call) => {
        asked.push(call);
        return urlCharacters;
      },
    },
  );
  return { targets, asked };
}
const targetOf = (made: ReturnType<typeof setup>, call = CALL) => {
  const decided = made.targets.target('paid', call);
  if (decided?.kind !== 'script') throw new Error(`decided ${JSON.stringify(decided)}`);
  return scriptTargetSchema.parse(decided.target);
};

test('a target holds all that the performer needs, in the shape that the performer reads', () => {
  expect(targetOf(setup())).toEqual({
    layout: 'web_invoices',
    script: 'PAID',
    contract: 'kit',
    transport: 'get',
    handoffLayout: null,
    probe: null,
    log: LOG,
  });
});

test('a fact without a script leads to nothing', () => {
  expect(setup().targets.target('refunded' as 'paid', CALL)).toBeUndefined();
});

test('up to 2,000 characters of URL go by GET, more wait for a hand-off layout, with the figures', () => {
  const fits = setup({}, {}, 2_000);
  expect(targetOf(fits).transport).toBe('get');
  expect(fits.asked).toEqual([{ layout: 'web_invoices', script: 'PAID', parameter: CALL.bytes }]);
  const decided = setup({}, {}, 2_001).targets.target('paid', CALL);
  expect(decided).toMatchObject({ kind: 'park', reasonCode: 'PARAMETER_TOO_LONG' });
  expect(decided).toHaveProperty('reason', expect.stringMatching(/2001 characters.*FILEMAKER_HANDOFF_LAYOUT/));
});

test('with a hand-off layout every payload goes as a record, however long', () => {
  const made = setup({}, { handoffLayout: 'bridge_handoff' }, 50_000);
  expect(targetOf(made)).toMatchObject({ transport: 'handoff', handoffLayout: 'bridge_handoff' });
});

test('a plain script has no log, even where the kit has one', () => {
  expect(targetOf(setup({ contract: 'plain' })).log).toBeNull();
  expect(targetOf(setup({}, { log: undefined })).log).toBeNull();
});

test.each([
  ['checkout_session_id', 'cs_1', true],
  ['payment_intent_id', 'pi_1', true],
  ['invoice_id', '18637', false],
] as const)('a probe by %s looks for this payment’s own value and proves: %s %s', (match, value, proves) => {
  const probe = { layout: 'web_invoices', field: 'f', match };
  expect(targetOf(setup({ probe } as Partial<Script>)).probe).toEqual({
    layout: 'web_invoices',
    field: 'f',
    value,
    proves,
  });
});

test('a probe without a value would find anything, so there is none', () => {
  const probe = { layout: 'web_invoices', field: 'f', match: 'payment_intent_id' };
  expect(targetOf(setup({ probe } as Partial<Script>), { ...CALL, paymentIntentId: '' }).probe).toBeNull();
});
