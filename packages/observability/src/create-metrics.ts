import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One value of a gauge with its labels. */
export interface Sample<L extends string> {
  labels: Record<L, string>;
  value: number;
}

/** Reads the present values at a scrape. A failure or more than `collectTimeoutMs` leaves the gauge out, it never shows old values. */
export type Collect<L extends string> = () => Promise<readonly Sample<L>[]>;

export interface GaugeDefinition<L extends string> {
  name: string;
  help: string;
  labels: readonly L[];
}

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const scriptSeconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600];

/**
 * The metrics of one process. Each app calls the methods of the metrics it owns, once; what it does not call, it does
 * not show. Names and labels are promises to outsiders.
 */
export function createMetrics(options: { collectTimeoutMs?: number; defaults?: boolean } = {}) {
  const registry = new Registry();
  const collectTimeoutMs = options.collectTimeoutMs ?? 2_000;
  if (options.defaults ?? true) collectDefaultMetrics({ register: registry });
  const collectFailures = new Counter({
    name: 'bridge_metric_collect_failures_total',
    help: 'Gauges that could not be read at a scrape and were left out.',
    labelNames: ['metric'] as const,
    registers: [registry],
  });

  function counter<L extends string>(name: string, help: string, labels: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labels], registers: [registry] });
  }

  function histogram<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [registry] });
  }

  function gauge<L extends string>(definition: GaugeDefinition<L>, collect: Collect<L>): void {
    const { name, help, labels } = definition;
    new Gauge<L>({
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      async collect() {
        this.reset();
        // A reset gauge without labels stands at 0, which would be a claim ("nothing waits") that nobody has made.
        if (labels.length === 0) this.remove();
        try {
          for (const sample of await within(collectTimeoutMs, collect())) this.set(sample.labels, sample.value);
        } catch {
          // The reason is in the log of whoever owns the source; a scrape must go on with the other metrics.
          collectFailures.inc({ metric: name });
        }
      },
    });
  }

  return {
    registry,
    counter,
    histogram,
    gauge,
    /** Ingress. */
    webhooksTotal: () => counter('bridge_webhooks_total', 'Webhook requests by what became of them.', ['outcome']),
    /** Ingress. Seconds from the first byte in hand to the answer. */
    webhookSeconds: () => histogram('bridge_webhook_seconds', 'Seconds to answer a webhook request.', [], seconds),
    effects: (collect: Collect<'kind' | 'state'>) =>
      gauge({ name: 'bridge_effects', help: 'Effects by kind and state.', labels: ['kind', 'state'] }, collect),
    effectsTotal: () => counter('bridge_effects_total', 'Attempts of effects by outcome.', ['kind', 'outcome']),
    effectSeconds: () =>
      histogram('bridge_effect_seconds', 'Seconds from begin to the answer of the peer.', ['kind'], scriptSeconds),
    filemakerSessions: (collect: Collect<'state'>) =>
      gauge({ name: 'bridge_filemaker_sessions', help: 'FileMaker sessions by state.', labels: ['state'] }, collect),
    filemakerLoginsTotal: () => counter('bridge_filemaker_logins_total', 'Logins at FileMaker.', []),
    inboxOldestSeconds: (collect: Collect<never>) =>
      gauge(
        { name: 'bridge_inbox_oldest_seconds', help: 'Age of the oldest unfinished inbox row.', labels: [] },
        collect,
      ),
    moneyAtRiskMinor: (collect: Collect<'currency' | 'class'>) =>
      gauge(
        {
          name: 'bridge_money_at_risk_minor',
          help: 'Paid at Stripe and not proved in FileMaker after 10 minutes, in minor units.',
          labels: ['currency', 'class'],
        },
        collect,
      ),
    queueJobs: (collect: Collect<'queue' | 'state'>) =>
      gauge({ name: 'bridge_queue_jobs', help: 'Jobs by queue and state.', labels: ['queue', 'state'] }, collect),
    scheduleLastSuccessSeconds: (collect: Collect<'schedule'>) =>
      gauge(
        {
          name: 'bridge_schedule_last_success_seconds',
          help: 'Unix time of the last success of each schedule.',
          labels: ['schedule'],
        },
        collect,
      ),
  };
}

/** All of a process's metrics and the registry they stand in. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Rejects after `timeoutMs`; the work itself goes on unheard, its late failure included. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not read within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
