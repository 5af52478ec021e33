import type { Finding } from '@bridge/flow';
import { type ReversalFacts, readReversalFacts, UnreadableSessionError } from '../session-facts';
import type { ComparedPage, PageContext } from './compare-page';
import { compareReversals, LEAVE_TO_OTHERS_MS } from './compare-session';
import { readReversals } from './read-recorded';

const CLASSES = ['refund-not-recorded', 'dispute-not-recorded'] as const;

const idOf = (object: unknown): string | undefined => {
  const id: unknown = typeof object === 'object' && object !== null ? Reflect.get(object, 'id') : undefined;
  return typeof id === 'string' ? id : undefined;
};

/**
 * Compares refunds or disputes, as Stripe lists them, with our records. Only those of payments that we know: the account may
 * take money that did not come through a Checkout Session, and that is not ours to record.
 */
export async function compareMadePage(
  kind: 'refund' | 'dispute',
  listed: readonly unknown[],
  context: PageContext,
): Promise<ComparedPage & { last: string | undefined }> {
  const read: ReversalFacts[] = [];
  const findings: Finding[] = [];
  for (const object of listed) {
    try {
      read.push(readReversalFacts(object));
    } catch (error) {
      const id = idOf(object);
      if (!(error instanceof UnreadableSessionError) || id === undefined) throw error;
      findings.push(unreadable(id, error));
    }
  }
  const isYoung = ({ createdAt }: ReversalFacts): boolean =>
    createdAt !== undefined && createdAt.getTime() > context.now.getTime() - LEAVE_TO_OTHERS_MS;
  const old = read.filter((facts) => !isYoung(facts));
  const inHand = await context.inHand(old.map(({ id }) => id));
  const judged = old.filter(({ id }) => !inHand.has(id));
  const { reversals, payments } = await readReversals(context.executor, {
    ids: judged.map(({ id }) => id),
    paymentIntentIds: judged.flatMap(({ paymentIntentId }) => paymentIntentId ?? []),
  });
  const compared: string[] = [];
  let left = read.length - judged.length;
  for (const facts of judged) {
    const payment = payments.get(facts.paymentIntentId ?? '');
    if (payment === undefined || payment.livemode !== context.peers.livemode) continue;
    const recorded = reversals.get(facts.id);
    const differences = compareReversals(
      {
        refunds: kind === 'refund' ? [facts] : [],
        disputes: kind === 'dispute' ? [facts] : [],
        recorded: recorded === undefined ? [] : [recorded],
        livemode: payment.livemode,
        otherwiseAt: payment.bornAt,
      },
      {
        now: context.now,
        recoverFrom: context.recoverFrom,
        instalments: context.settings.instalments,
        observing: context.observing,
      },
    );
    if (differences.length > 0 && recorded?.fresh === true) {
      left += 1;
      continue;
    }
    findings.push(...differences);
    compared.push(facts.id);
  }
  return {
    checked: listed.length - left,
    unasked: 0,
    findings,
    compared: [{ objectIds: compared, classes: [...CLASSES, 'unreadable-at-stripe'] }],
    last: idOf(listed.at(-1)),
  };
}

const unreadable = (objectId: string, error: UnreadableSessionError): Finding => ({
  class: 'unreadable-at-stripe',
  objectId,
  stripeValue: 'cannot be read',
  recordedValue: null,
  filemakerValue: null,
  amount: 0,
  currency: '',
  message: error.message,
  replay: null,
});
