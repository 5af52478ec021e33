import fc from 'fast-check';
import { judgeScriptAnswer } from './script-verdict';

const KEY = 'invoice-paid:cs_test_1';

function kit(result: unknown, scriptError = '0') {
  const scriptResult = typeof result === 'string' || result === undefined ? result : JSON.stringify(result);
  return judgeScriptAnswer({ scriptError, scriptResult }, { contract: 'kit', key: KEY });
}

describe('a kit script', () => {
  test('is done when it says so and echoes the key', () => {
    const result = { v: 1, ok: true, code: 0, key: KEY, ran: true, duplicate: false, invoice: '18637', logId: '7' };
    expect(kit(result)).toEqual({
      verdict: 'done',
      resend: 'no',
      code: 'SCRIPT_DONE',
      result: { ...result, code: '0' },
    });
  });

  test('is done with a warning when FileMaker kept the number of an error that the script dealt with', () => {
    expect(kit({ ok: true, code: 0, key: KEY, ran: true }, '401')).toMatchObject({
      verdict: 'done',
      code: 'SCRIPT_DONE_WITH_WARNING',
      scriptCode: '401',
    });
  });

  test('is a duplicate when an earlier run did the work', () => {
    expect(kit({ ok: true, key: KEY, duplicate: true })).toMatchObject({ verdict: 'duplicate', resend: 'no' });
  });

  test.each([
    [301, 'yes', 'SCRIPT_RECORD_LOCKED'],
    ['301', 'yes', 'SCRIPT_RECORD_LOCKED'],
    [5000, 'yes', 'SCRIPT_ROLLED_BACK'],
    [5499, 'yes', 'SCRIPT_ROLLED_BACK'],
    [300, 'yes', 'SCRIPT_AGAIN'],
    ['KEY_CONFLICT', 'no', 'SCRIPT_KEY_CONFLICT'],
    ['BAD_PARAM', 'no', 'SCRIPT_BAD_PARAMETER'],
    [102, 'no', 'SCRIPT_REFUSED'],
    [5500, 'no', 'SCRIPT_REFUSED'],
    ['OUT_OF_STOCK', 'no', 'SCRIPT_REFUSED'],
    [undefined, 'no', 'SCRIPT_REFUSED'],
  ])('that changed nothing with code %p is refused, again: %s', (code, resend, ours) => {
    expect(kit({ ok: false, ran: false, key: KEY, code })).toMatchObject({ verdict: 'refused', resend, code: ours });
  });

  test('that stumbled over a value that must be unique is looked up, not repeated', () => {
    expect(kit({ ok: false, ran: false, key: KEY, code: 504 })).toMatchObject({ verdict: 'unknown', resend: 'check' });
  });

  test('that could not read its parameter is believed without an echoed key', () => {
    expect(kit({ ok: false, ran: false, code: 'BAD_PARAM' })).toMatchObject({ verdict: 'refused', resend: 'no' });
    expect(kit({ ok: false, ran: false, code: 'BAD_PARAM', key: null })).toMatchObject({
      verdict: 'refused',
      resend: 'no',
    });
    expect(kit({ ok: false, ran: false, code: 'BAD_PARAM', key: 'another' })).toMatchObject({ verdict: 'unknown' });
  });

  test.each([
    ['no result', undefined, 'SCRIPT_NO_RESULT'],
    ['an empty result', ' ', 'SCRIPT_NO_RESULT'],
    ['text', 'OK', 'SCRIPT_RESULT_UNREADABLE'],
    ['half a result', '{"ok":true,"key":"invoice', 'SCRIPT_RESULT_UNREADABLE'],
    ['a list', '[]', 'SCRIPT_RESULT_UNREADABLE'],
    ['null', 'null', 'SCRIPT_RESULT_UNREADABLE'],
    ['ok as a text', { ok: 'true', key: KEY }, 'SCRIPT_RESULT_UNREADABLE'],
    ['another key', { ok: true, key: 'invoice-paid:cs_test_2' }, 'SCRIPT_OTHER_KEY'],
    ['no key', { ok: true }, 'SCRIPT_OTHER_KEY'],
    ['a refusal with another key', { ok: false, ran: false, key: 'x', code: 301 }, 'SCRIPT_OTHER_KEY'],
    ['a failure in mid-run', { ok: false, ran: true, key: KEY, code: 301 }, 'SCRIPT_PARTLY_RUN'],
    ['a failure that does not say how far it got', { ok: false, key: KEY, code: 5000 }, 'SCRIPT_PARTLY_RUN'],
  ])('that answers with %s is unknown', (_what, result, ours) => {
    expect(kit(result)).toMatchObject({ verdict: 'unknown', resend: 'check', code: ours });
  });

  test.each([true, false, undefined])(
    "whose work is kept without its row in the log, ran %p, is a person's: to ask would prove the opposite",
    (ran) => {
      const judged = kit({ v: 1, ok: false, code: 'LOG_ROW_MISSING', key: KEY, ran }, '105');
      expect(judged).toMatchObject({ verdict: 'unlogged', resend: 'no', code: 'SCRIPT_ROW_MISSING' });
      expect(judged.scriptCode).toBeUndefined();
      expect(kit({ ok: false, code: 'LOG_ROW_MISSING', key: 'another', ran })).toMatchObject({ verdict: 'unknown' });
    },
  );

  test('is never done, refused or repeated on a result that does not carry the key', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('0', '301', '5000'), (result, scriptError) => {
        expect(kit(JSON.stringify(result), scriptError).verdict).toBe('unknown');
      }),
    );
  });
});

describe('a plain script', () => {
  const plain = (scriptError: string, scriptResult?: string) =>
    judgeScriptAnswer({ scriptError, scriptResult }, { contract: 'plain', key: KEY });

  test('without an error is unverified: only a probe proves more', () => {
    expect(plain('0', 'anything')).toEqual({ verdict: 'unverified', resend: 'check', code: 'SCRIPT_UNVERIFIED' });
  });

  test.each(['301', '5000', '1212', '-1', ''])(
    'with error %p is unknown, since it may have done half',
    (scriptError) => {
      expect(plain(scriptError, JSON.stringify({ ok: true, key: KEY }))).toMatchObject({
        verdict: 'unknown',
        resend: 'check',
        scriptCode: scriptError,
      });
    },
  );
});
