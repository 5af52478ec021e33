import type { ReplayArgs } from './replay-plan';
import type { ReplayItem } from './show-replay';
import type { Verdict } from './verdict';

/** What a person does next about a payment for which nothing can be sent. */
export interface NextStep {
  sentence: string;
  command: string | null;
}

/** Nothing is sent for these, and nothing has to be: it is applied, or goes on by itself. */
const NOTHING_TO_DO: ReadonlySet<Verdict> = new Set(['already-applied', 'on-its-way', 'locked']);

/** Whether a plan that sends nothing is a good end: all of it is applied or on its way. */
export const isAllSettled = (verdicts: readonly Verdict[]): boolean =>
  verdicts.every((verdict) => NOTHING_TO_DO.has(verdict));

/** A person says which invoice a payment is for; the dry run shows it first. */
export const nameInvoice = (objectId: string): string => `./bridge replay ${objectId} --invoice … --dry-run`;

type Stuck = Pick<ReplayItem, 'objectId' | 'verdict' | 'reasonCode' | 'effectId'>;

/** Pure. `invoice` and `override`: as they were given. Empty: nothing has to be done, or the plan itself can be sent. */
export function nextStepsOf(
  { objectId, verdict, reasonCode, effectId }: Stuck,
  { invoice, override }: Pick<ReplayArgs, 'invoice' | 'override'>,
): NextStep[] {
  if (verdict === null || NOTHING_TO_DO.has(verdict)) return [];
  const given = `./bridge replay ${objectId} --invoice ${invoice ?? '…'}${override === true ? ' --override' : ''}`;
  const another = { sentence: 'With the right number:', command: nameInvoice(objectId) };
  const record = { sentence: 'Then record it:', command: `${given} --by-hand --why "…"` };
  const look = { sentence: 'Look at it:', command: `./bridge prove ${objectId}` };
  const effect = effectId ?? 'ID';
  switch (reasonCode) {
    case 'NO_INVOICE_ID':
      return [{ sentence: 'Name the invoice with:', command: nameInvoice(objectId) }];
    case 'NAMES_ANOTHER_INVOICE':
      return [{ sentence: 'If it is meant all the same:', command: `${given} --override --why "…" --dry-run` }];
    case 'SECOND_PAYMENT_OF_INVOICE':
      return [
        another,
        {
          sentence: 'If this money is for that invoice as well (it then waits for your decision):',
          command: `${given} --override --why "…" --dry-run`,
        },
      ];
    case 'RECORDED_FOR_ANOTHER':
      return [{ sentence: 'Change the number, and say why:', command: `${given} --why "…" --dry-run` }];
    case 'APPLIED_TO_ANOTHER':
      return [
        {
          sentence: `In FileMaker, by hand: take back on the wrong invoice what the script did for ${objectId}, and enter the payment on invoice ${invoice ?? '…'}. Do not run the script for it.`,
          command: null,
        },
        record,
      ];
    case 'CANCELLED_FOR_ANOTHER':
      return [
        {
          sentence: `In FileMaker, by hand: enter the payment on invoice ${invoice ?? '…'}, if the money is still with you.`,
          command: null,
        },
        record,
      ];
    case 'ON_ITS_WAY_TO_ANOTHER':
      return [{ sentence: 'It settles by itself. Look at it, then try again:', command: `./bridge prove ${objectId}` }];
    case 'LOG_SAYS_DONE':
      return [{ sentence: 'Record first what has run:', command: `./bridge replay ${objectId}` }];
    case 'MAY_HAVE_RUN':
      return [
        { sentence: 'Look in FileMaker what it has done, and decide:', command: `./bridge effects show ${effect}` },
        { sentence: 'Then give the number again:', command: `${given} --why "…" --dry-run` },
      ];
    case 'NOTHING_TO_RECORD':
      return [{ sentence: 'Give the number alone:', command: `${given} --why "…" --dry-run` }];
    case 'UNASKED':
      return [{ sentence: 'See what keeps FileMaker from answering:', command: './bridge status' }];
    case 'CANCELLED':
    case 'NOT_PAID':
    case 'NOTHING_DUE':
      return [look];
  }
  if (verdict === 'not-found') return [];
  if (effectId !== null) return [{ sentence: 'Look at it, and decide:', command: `./bridge effects show ${effectId}` }];
  return [look];
}
