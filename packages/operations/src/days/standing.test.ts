import { standingOf } from './standing';

const fact = { id: 'cs_1', parkedCode: 'NO_INVOICE_ID', parkedEvent: 'evt_1' };

test('a payment that names no invoice is led to the command that gives it one, as by status and prove', () => {
  expect(standingOf(fact, undefined, { id: '34', reason: 'names none' })).toEqual({
    standing: 'parked',
    code: 'NO_INVOICE_ID',
    reason: 'names none',
    next: './bridge replay cs_1 --invoice … --dry-run',
  });
});

test('a payment whose event waits for another reason is looked at first; one without an event is proved', () => {
  const other = { ...fact, parkedCode: 'SESSION_UNREADABLE' };
  expect(standingOf(other, undefined, { id: '34', reason: null }).next).toBe('./bridge events show 34');
  expect(standingOf(other, undefined, undefined).next).toBe('./bridge prove cs_1');
});
