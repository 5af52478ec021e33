import type { ConfigByRole } from '@bridge/config';
import type { Database } from '@bridge/database';
import type { FlowPeers } from '@bridge/flows';
import type { Gates } from '@bridge/gates';
import type { Logger } from '@bridge/observability';
import { createStripeClient, type StripeClient } from '@bridge/stripe-client';
import type { Redis } from 'ioredis';
import { confirmReturnedStripe, confirmStripeAtStart } from './confirm-stripe-account';
import { countStripeCall } from './reconcile/run-calls';
import { createStripeJudge, probeStripe, type StripeJudge } from './stripe-judge';
import { createStripeReads, type StripeReads } from './stripe-reads';

const PROBE_MS = 5_000;
const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1_000);

export interface StripeConnection {
  /** Reads for events and effects; they go before all others. */
  live: StripeClient;
  /** Reads for reconciliation and replays: from what live work leaves of the budget. */
  recovery: StripeClient;
  reads: StripeReads;
  judge: StripeJudge;
  /** Whether Stripe answers, and still as the account that this bridge belongs to. */
  look(): ReturnType<typeof probeStripe>;
  close(): Promise<unknown>;
}

/** Opens the ways to Stripe. Throws when the key belongs to another account than this bridge's. */
export async function connectStripe(options: {
  config: ConfigByRole['worker']['stripe'];
  database: Database;
  redis: Redis;
  keyPrefix: string;
  gates: Gates;
  worker: string;
  logger: Logger;
}): Promise<StripeConnection> {
  const { config, database, gates, worker } = options;
  const connect = (rest: Partial<Parameters<typeof createStripeClient>[0]>): StripeClient =>
    createStripeClient({ apiKey: config.apiKey, apiBase: config.apiBase, ...rest });
  const reads = createStripeReads(options.redis, {
    keyPrefix: options.keyPrefix,
    readsPerSecond: config.readsPerSecond,
  });
  const takeRecoveryRead = reads.gate('recovery');
  const live = connect({ readGate: reads.gate('live') });
  const recovery = connect({
    readGate: async () => {
      await takeRecoveryRead();
      countStripeCall();
    },
  });
  // Outside the budget of reads, which may be spent when it is needed.
  const probing = connect({ timeoutMs: PROBE_MS });

  const account = { stripe: probing, database, gates, worker, livemode: config.livemode };
  if ((await confirmStripeAtStart(account)) === 'untold')
    options.logger.warn('the Stripe key may not read its own account: another account would not be noticed');
  const look = () => probeStripe(() => confirmReturnedStripe(account));
  return {
    live,
    recovery,
    reads,
    look,
    judge: createStripeJudge({ gates, worker, probe: look }),
    close: () => Promise.allSettled([live.close(), recovery.close(), probing.close()]),
  };
}

/** What flows may ask Stripe, over one of its ways. */
export function stripePeer(asked: StripeClient): FlowPeers['stripe'] {
  return {
    retrievePaidSession: (id) => asked.retrievePaidSession(id),
    findSessionOfPaymentIntent: (id) => asked.findSessionOfPaymentIntent(id),
    findSessionOfCharge: (id) => asked.findSessionOfCharge(id),
    retrieveRefund: (id) => asked.retrieveRefund(id),
    retrieveDispute: (id) => asked.retrieveDispute(id),
    listSessions: async function* (window) {
      const created = { withPayments: true, created: { gte: toSeconds(window.since), lt: toSeconds(window.until) } };
      for await (const page of asked.listSessions(created)) yield page.items;
    },
  };
}
