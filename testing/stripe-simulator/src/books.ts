import type { ApiLog, ApiLogSummary } from './api/api-log';
import type { Deliveries } from './deliveries';
import type { World } from './world';

/** One paid Session: the truth a bridge is measured against. */
export interface PaidSession {
  sessionId: string;
  paymentIntentId: string | null;
  chargeId: string | null;
  invoiceId: string | null;
  /** Minor units. */
  amountTotal: number;
  currency: string;
  paidAt: string;
  /** Minor units refunded so far. */
  amountRefunded: number;
  disputed: boolean;
  livemode: boolean;
  account: string | null;
}

/** What truly happened, for a comparison with the other side. */
export interface Books {
  /** Payment-mode Sessions with money in hand, oldest payment first. */
  paidSessions: PaidSession[];
  sessions: { total: number; open: number; complete: number; expired: number };
  events: { total: number; acknowledged: number; byType: Record<string, number> };
  deliveries: { attempts: number; acknowledged: number; outstanding: number; byAnswer: Record<string, number> };
  api: ApiLogSummary;
  seed: number;
}

export function keepBooks(world: World, deliveries: Deliveries, log: ApiLog): Books {
  const { store } = world;
  const sessions = store.sessions.oldestFirst().map(({ value }) => value);
  const withStatus = (status: string) => sessions.filter((session) => session.status === status).length;
  const attempts = deliveries.attempts();
  const byType: Record<string, number> = {};
  for (const { value } of store.events.oldestFirst()) byType[value.type] = (byType[value.type] ?? 0) + 1;
  const byAnswer: Record<string, number> = {};
  for (const { status, error } of attempts) {
    const answer = String(status ?? error);
    byAnswer[answer] = (byAnswer[answer] ?? 0) + 1;
  }
  return {
    paidSessions: paidSessions(world),
    sessions: {
      total: sessions.length,
      open: withStatus('open'),
      complete: withStatus('complete'),
      expired: withStatus('expired'),
    },
    events: { total: store.events.size, acknowledged: deliveries.acknowledged().size, byType },
    deliveries: {
      attempts: attempts.length,
      acknowledged: attempts.filter(({ status }) => status !== null && status >= 200 && status < 300).length,
      outstanding: deliveries.outstanding(),
      byAnswer,
    },
    api: log.summary(),
    seed: world.random.seed,
  };
}

function paidSessions(world: World): PaidSession[] {
  const { store } = world;
  return [...store.sales.values()]
    .flatMap((sale) => {
      const session = store.sessions.get(sale.sessionId);
      if (session === undefined || sale.paidAtMs === null) return [];
      const charge = store.charges.get(sale.chargeId ?? '');
      return [
        {
          sessionId: sale.sessionId,
          paymentIntentId: sale.paymentIntentId,
          chargeId: sale.chargeId,
          invoiceId: sale.invoiceId,
          amountTotal: session.amount_total ?? 0,
          currency: session.currency ?? '',
          paidAt: new Date(sale.paidAtMs).toISOString(),
          amountRefunded: charge?.amount_refunded ?? 0,
          disputed: charge?.disputed ?? false,
          livemode: sale.owner.livemode,
          account: sale.owner.account,
        },
      ];
    })
    .sort((left, right) => left.paidAt.localeCompare(right.paidAt));
}
