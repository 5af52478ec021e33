import { isAllSettled, nextStepsOf } from './next-steps';
import { VERDICTS, type Verdict } from './verdict';

const stuck = (verdict: Verdict, reasonCode: string | null, effectId: string | null = null) =>
  nextStepsOf({ objectId: 'cs_1', verdict, reasonCode, effectId }, { invoice: '18638' });
const commands = (steps: ReturnType<typeof stuck>) => steps.flatMap(({ command }) => command ?? []);

test('a plan that sends nothing is a good end only when all of it is applied or goes on by itself', () => {
  const good = VERDICTS.filter((verdict) => isAllSettled([verdict]));
  expect(good).toEqual(['already-applied', 'locked', 'on-its-way']);
  expect(isAllSettled(['already-applied', 'cancelled'])).toBe(false);
});

test.each<[Verdict, string, string[]]>([
  ['parked', 'NO_INVOICE_ID', ['./bridge replay cs_1 --invoice … --dry-run']],
  ['refused', 'NAMES_ANOTHER_INVOICE', ['./bridge replay cs_1 --invoice 18638 --override --why "…" --dry-run']],
  [
    'second-payment',
    'SECOND_PAYMENT_OF_INVOICE',
    [
      './bridge replay cs_1 --invoice … --dry-run',
      './bridge replay cs_1 --invoice 18638 --override --why "…" --dry-run',
    ],
  ],
  ['refused', 'RECORDED_FOR_ANOTHER', ['./bridge replay cs_1 --invoice 18638 --why "…" --dry-run']],
  ['refused', 'APPLIED_TO_ANOTHER', ['./bridge replay cs_1 --invoice 18638 --by-hand --why "…"']],
  ['refused', 'CANCELLED_FOR_ANOTHER', ['./bridge replay cs_1 --invoice 18638 --by-hand --why "…"']],
  ['refused', 'ON_ITS_WAY_TO_ANOTHER', ['./bridge prove cs_1']],
])('%s because of %s: what comes next', (verdict, reasonCode, next) => {
  expect(commands(stuck(verdict, reasonCode))).toEqual(next);
});

test('nothing that stands still is left without a next step, except what nobody knows', () => {
  for (const verdict of VERDICTS.filter((one) => !isAllSettled([one]) && one !== 'not-found'))
    expect([verdict, stuck(verdict, 'ANYTHING').length]).not.toEqual([verdict, 0]);
  expect(commands(stuck('parked', 'SCRIPT_REFUSED', '12'))).toEqual(['./bridge effects show 12']);
});
