import type { Database } from '@bridge/database';
import type { Installation } from '@bridge/installation';
import { type AddressSeen, createStripeClient, lookAtAddress, StripeCallError } from '@bridge/stripe-client';
import { readKnownEvents } from '../../tables/read-engine-tables';
import { countWronglySigned } from '../../tables/read-figures';
import { readPeerFingerprint } from '../../tables/read-processes';
import { readLastFetch } from '../../tables/read-recovery-tables';
import { type EndpointFix, planEndpointFix } from '../endpoint-fix';
import { fault } from '../fault';
import type { Looked } from '../report';
import { collectStripeKey, judgeStripeKey, neededReads } from '../stripe-key';
import { judgeWebhook, listEndpoints, listPending, pickOurs } from '../webhook-endpoint';
import { asApp, type Examination, flowsOn, type WithDatabase } from './examination';

/** One question to Stripe: all of them are harmless and small. */
const STRIPE_MS = 10_000;
const LOOK_MS = 8_000;

/** Whose key it is, and whether it may read what the flows need. */
export async function lookAtStripeKey(
  examination: Examination,
  installation: Installation | undefined,
): Promise<Looked> {
  const { config, database } = examination;
  const { apiKey, apiBase, livemode } = config.stripe;
  if (apiKey === undefined || livemode === undefined) return { detail: 'no key', faults: [fault('STRIPE_KEY_UNSET')] };
  const stripe = createStripeClient({ apiKey, apiBase, timeoutMs: STRIPE_MS });
  try {
    const facts = await collectStripeKey(stripe, {
      apiKey,
      livemode,
      production: config.nodeEnv === 'production',
      needed: neededReads(flowsOn(examination)),
      stored:
        installation === undefined || database === undefined ? null : await readPeerFingerprint(database, 'stripe'),
    });
    return judgeStripeKey(facts);
  } finally {
    await stripe.close();
  }
}

/**
 * The endpoint at Stripe through which events come, and events that did not get through. `onFix` is told what `--fix` can put
 * right.
 */
export async function lookAtWebhook(
  examination: WithDatabase,
  installation: Installation,
  onFix: (fix: EndpointFix | null) => void,
): Promise<Looked> {
  const { config, options, database, at } = examination;
  const { stripe: given, mode, reconcileFrom } = config;
  const { apiKey, apiBase, delivery } = given;
  if (apiKey === undefined) return { notChecked: 'no Stripe key' };
  const stripe = createStripeClient({ apiKey, apiBase, timeoutMs: STRIPE_MS });
  const wants = [...new Set(flowsOn(examination).flatMap((flow) => flow.wants))];
  const url = options.webhookUrl ?? given.webhookUrl;
  try {
    const endpoints = await listEndpoints(stripe);
    const about = { url, installationId: installation.id };
    const ours = endpoints === null ? undefined : pickOurs(endpoints, about);
    const since = reconcileFrom ?? installation.firstMigratedAt;
    const byWebhook = delivery === 'webhook';
    const [look, pending] = await Promise.all([
      byWebhook && ours?.kind === 'ours' ? lookAtAddress(ours.endpoint.url, { timeoutMs: LOOK_MS }) : null,
      byWebhook ? undelivered(database, () => listPending(stripe, { wants, since, at })) : [],
    ]);
    if (byWebhook && endpoints !== null) onFix(planEndpointFix(endpoints, { wants, ...about }));
    return judgeWebhook({
      delivery,
      wants,
      observe: mode === 'observe',
      installationId: installation.id,
      url,
      endpoints,
      look: look as AddressSeen | null,
      pending,
      wronglySigned: byWebhook ? await countWronglySigned(database) : 0,
      fetchedAt: byWebhook ? null : await readLastFetch(database),
      pullSeconds: asApp(options.env, 'worker').stripe.pullSeconds,
      at,
    });
  } catch (error) {
    if (!(error instanceof StripeCallError)) throw error;
    return { detail: `Stripe did not say (${error.code})`, faults: [fault('CHECK_NOT_ANSWERED', error.code)] };
  } finally {
    await stripe.close();
  }
}

/** Without those that we have: then another endpoint of the account is the one that does not take them. */
async function undelivered(
  database: Database,
  list: () => Promise<{ eventId: string; createdAt: Date }[]>,
): Promise<{ eventId: string; createdAt: Date }[]> {
  let listed: { eventId: string; createdAt: Date }[];
  try {
    listed = await list();
  } catch (error) {
    // A key that may not read events is told with the key.
    if (error instanceof StripeCallError && error.code === 'STRIPE_PERMISSION') return [];
    throw error;
  }
  const known = await readKnownEvents(
    database,
    listed.map(({ eventId }) => eventId),
  );
  return listed.filter(({ eventId }) => !known.has(eventId));
}
