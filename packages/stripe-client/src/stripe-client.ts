import { createSdk } from './create-sdk';
import { type PageQuery, type StripePage, walkPages } from './page-walk';
import {
  foldProducts,
  type PaidSessionSnapshot,
  reversalOf,
  sessionExpand,
  shippingRateExpand,
  type UnfoldedPayment,
  unfoldPayment,
  unfoldSession,
} from './paid-session-snapshot';
import { StripeCallError, type StripeCallStage, toStripeCallError } from './stripe-call-error';
import { asStripeList, asStripeObject, type StripeObject, toPlainJson } from './stripe-object';
import { asWebhookEndpoint, type WebhookEndpoint } from './webhook-endpoints';

/** One key, one account. */
export interface StripeClientOptions {
  /**
   * Secret or restricted key. Reading needs: Checkout Sessions, PaymentIntents, Charges, Refunds, Disputes, Events, Products,
   * Account; Shipping Rates only for the shipping's name.
   */
  apiKey: string;
  /** `https://api.stripe.com` unless given; scheme, host and port of a stand-in, no path. */
  apiBase?: string;
  /** For one request as a whole, in ms; default 20,000. */
  timeoutMs?: number;
  /**
   * Awaited before every request, for a budget of reads that is shared with others. It bounds its own waiting; what it
   * throws comes out unchanged.
   */
  readGate?: (read: { endpoint: string }) => Promise<void>;
}

/** Which events to list. */
export interface EventQuery extends PageQuery {
  /** At most 20 exact names. */
  types?: readonly string[];
  /** `false`: only events that some endpoint of the account has not taken yet. */
  deliverySuccess?: boolean;
}

/** Which Checkout Sessions to list. */
export interface SessionQuery extends PageQuery {
  status?: 'open' | 'complete' | 'expired';
  paymentLink?: string;
  /** Brings each Session's PaymentIntent with its latest charge along. */
  withPayments?: boolean;
}

/** Kinds of objects that a restricted key is allowed to read one by one. */
export type StripeRead =
  | 'checkout_sessions'
  | 'payment_intents'
  | 'charges'
  | 'refunds'
  | 'disputes'
  | 'events'
  | 'products'
  | 'shipping_rates'
  | 'webhook_endpoints';

/** Everything the bridge asks Stripe. All methods only read, and throw nothing but {@link StripeCallError}. */
export interface StripeClient {
  /**
   * A Checkout Session with all lines, their products, PaymentIntent and charge: one request up to ten lines. What a server
   * does not expand is asked for apart.
   */
  retrievePaidSession(sessionId: string): Promise<PaidSessionSnapshot>;
  /** The Checkout Session that made this PaymentIntent; undefined when none did. */
  findSessionOfPaymentIntent(paymentIntentId: string): Promise<string | undefined>;
  findSessionOfCharge(chargeId: string): Promise<string | undefined>;
  retrievePaymentIntent(paymentIntentId: string): Promise<StripeObject>;
  retrieveCharge(chargeId: string): Promise<StripeObject>;
  retrieveRefund(refundId: string): Promise<StripeObject>;
  retrieveDispute(disputeId: string): Promise<StripeObject>;
  /** The newest hundred of a payment. */
  listRefunds(paymentIntentId: string): Promise<StripeObject[]>;
  /** The newest hundred of a payment. */
  listDisputes(paymentIntentId: string): Promise<StripeObject[]>;
  /** Every refund of the account. */
  walkRefunds(query?: PageQuery): AsyncGenerator<StripePage, void, void>;
  /** Every dispute of the account. */
  walkDisputes(query?: PageQuery): AsyncGenerator<StripePage, void, void>;
  /** Stripe keeps events for 30 days. */
  retrieveEvent(eventId: string): Promise<StripeObject>;
  /** The account the key belongs to. */
  retrieveAccount(): Promise<StripeObject>;
  listEvents(query?: EventQuery): AsyncGenerator<StripePage, void, void>;
  listSessions(query?: SessionQuery): AsyncGenerator<StripePage, void, void>;
  /** Every webhook endpoint of the account in this key's mode, on or off. */
  listWebhookEndpoints(): Promise<WebhookEndpoint[]>;
  /**
   * Resolves when the key may read this kind of object. Asks for one that cannot be there, so that no customer's data
   * comes along.
   */
  tryRead(kind: StripeRead): Promise<void>;
  /** Breaks off what is under way and closes the sockets; returns when nothing is left running. */
  close(): Promise<void>;
}

const pageSize = 100;
/** Stripe allows 100 lines in a payment; the bound only keeps a broken answer from turning forever. */
const linePagesMax = 20;
/** Stripe allows an account 16 endpoints. */
const endpointPagesMax = 5;
/** No object of Stripe's has such an id: "not found" says that the key may look. */
const NO_ID = 'bridge_looks';

/**
 * Asks nothing before the first call. Its calls reject with StripeCallError; each is sent once and bounded by
 * `timeoutMs`.
 */
export function createStripeClient(options: StripeClientOptions): StripeClient {
  const { stripe, httpClient } = createSdk(options);
  const underWay = new Set<Promise<unknown>>();
  let closed = false;

  async function ask(endpoint: string, send: () => Promise<unknown>): Promise<unknown> {
    const refuseWhenClosed = () => {
      if (closed) throw new StripeCallError('STRIPE_CLIENT_CLOSED', 'not-sent', { endpoint });
    };
    refuseWhenClosed();
    await options.readGate?.({ endpoint });
    refuseWhenClosed();
    const call = send().then(toPlainJson, (error: unknown) => {
      throw toStripeCallError(error, endpoint);
    });
    underWay.add(call);
    try {
      return await call;
    } finally {
      underWay.delete(call);
    }
  }

  async function askObject(
    endpoint: string,
    kind: string,
    send: () => Promise<unknown>,
    stageOfOther: StripeCallStage = 'unheard',
  ): Promise<StripeObject> {
    return expected(asStripeObject(await ask(endpoint, send), kind), endpoint, stageOfOther);
  }

  async function askList(endpoint: string, send: () => Promise<unknown>) {
    return expected(asStripeList(await ask(endpoint, send)), endpoint);
  }

  async function remainingLines(sessionId: string, known: StripeObject[]): Promise<StripeObject[]> {
    const endpoint = 'checkout.sessions.listLineItems';
    const after = known.at(-1)?.id;
    const lines: StripeObject[] = [];
    const walk = walkPages({ pagesMax: linePagesMax, ...(after === undefined ? {} : { olderThan: after }) }, (page) =>
      askList(endpoint, () =>
        stripe.checkout.sessions.listLineItems(sessionId, { ...page, expand: ['data.price.product'] }),
      ),
    );
    let complete = true;
    for await (const page of walk) {
      lines.push(...page.items);
      complete = !page.hasMore;
    }
    if (!complete) throw unexpected(endpoint);
    return lines;
  }

  /** A sale is not given up for the name of its shipping: where that cannot be had, the rest is asked for without it. */
  async function retrieveSession(id: string): Promise<unknown> {
    const endpoint = 'checkout.sessions.retrieve';
    const retrieveExpanded = (expand: string[]) =>
      ask(endpoint, () => stripe.checkout.sessions.retrieve(id, { expand }));
    try {
      return await retrieveExpanded([...sessionExpand, shippingRateExpand]);
    } catch (error) {
      if (!mayBeTheShippingRate(error)) throw error;
      return retrieveExpanded(sessionExpand);
    }
  }

  /** Payment and charge where the Session only named them: two requests at most, one where `expand` is heard. */
  async function fetchPayment(unfolded: UnfoldedPayment): Promise<UnfoldedPayment> {
    let payment = unfolded;
    if (payment.missing?.kind === 'payment_intent') {
      const endpoint = 'paymentIntents.retrieve';
      const intent = await retrieve(endpoint, 'payment_intent', payment.missing.id, (id) =>
        stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] }),
      );
      payment = expected(unfoldPayment(intent), endpoint);
    }
    if (payment.missing?.kind !== 'charge') return payment;
    return { paymentIntent: payment.paymentIntent, charge: await retrieveCharge(payment.missing.id) };
  }

  /** In hundreds; what the list leaves out is asked for one by one, since a deleted product is in no list. */
  async function fetchProducts(ids: string[]): Promise<Record<string, StripeObject>> {
    const found = new Map<string, StripeObject>();
    for (let from = 0; from < ids.length; from += pageSize) {
      const batch = ids.slice(from, from + pageSize);
      for (const product of await listProducts(batch)) if (batch.includes(product.id)) found.set(product.id, product);
    }
    for (const id of ids) {
      if (!found.has(id)) found.set(id, await fetchProductOrItsAbsence(id));
    }
    return Object.fromEntries(found);
  }

  /** Empty where the server has no such list; each product is then asked for by itself. */
  async function listProducts(ids: string[]): Promise<StripeObject[]> {
    try {
      return (await askList('products.list', () => stripe.products.list({ ids, limit: pageSize }))).items;
    } catch (error) {
      if (error instanceof StripeCallError && error.action === 'park') return [];
      throw error;
    }
  }

  async function fetchProductOrItsAbsence(id: string): Promise<StripeObject> {
    try {
      return await askObject('products.retrieve', 'product', () => stripe.products.retrieve(id));
    } catch (error) {
      if (!(error instanceof StripeCallError) || error.code !== 'STRIPE_NOT_FOUND') throw error;
      return { id, object: 'product', deleted: true };
    }
  }

  async function findSessionOfPaymentIntent(paymentIntentId: string): Promise<string | undefined> {
    const endpoint = 'checkout.sessions.list';
    const payment_intent = checkedId(paymentIntentId, endpoint);
    const { items } = await askList(endpoint, () => stripe.checkout.sessions.list({ payment_intent, limit: 1 }));
    return items[0]?.id;
  }

  function retrieve(endpoint: string, kind: string, id: string, send: (id: string) => Promise<unknown>) {
    return askObject(endpoint, kind, async () => send(checkedId(id, endpoint)));
  }

  const retrieveCharge = (id: string) =>
    retrieve('charges.retrieve', 'charge', id, (known) => stripe.charges.retrieve(known));

  const looks: Record<StripeRead, () => Promise<unknown>> = {
    checkout_sessions: () => stripe.checkout.sessions.retrieve(`cs_${NO_ID}`),
    payment_intents: () => stripe.paymentIntents.retrieve(`pi_${NO_ID}`),
    charges: () => stripe.charges.retrieve(`ch_${NO_ID}`),
    refunds: () => stripe.refunds.retrieve(`re_${NO_ID}`),
    disputes: () => stripe.disputes.retrieve(`dp_${NO_ID}`),
    events: () => stripe.events.retrieve(`evt_${NO_ID}`),
    products: () => stripe.products.retrieve(`prod_${NO_ID}`),
    shipping_rates: () => stripe.shippingRates.retrieve(`shr_${NO_ID}`),
    webhook_endpoints: () => stripe.webhookEndpoints.retrieve(`we_${NO_ID}`),
  };

  return {
    async retrievePaidSession(sessionId) {
      const endpoint = 'checkout.sessions.retrieve';
      const id = checkedId(sessionId, endpoint);
      const { session, lines, payment } = expected(unfoldSession(await retrieveSession(id)), endpoint);
      const { paymentIntent, charge } = await fetchPayment(payment);
      const first = lines?.items ?? [];
      const rest = lines === null || lines.hasMore ? await remainingLines(id, first) : [];
      const { lineItems, products, missing } = foldProducts([...first, ...rest]);
      return {
        session,
        lineItems,
        products: missing.length === 0 ? products : { ...products, ...(await fetchProducts(missing)) },
        paymentIntent,
        charge,
        reversal: reversalOf(charge),
      };
    },
    findSessionOfPaymentIntent,
    async findSessionOfCharge(chargeId) {
      const { payment_intent } = await retrieveCharge(chargeId);
      return typeof payment_intent === 'string' ? findSessionOfPaymentIntent(payment_intent) : undefined;
    },
    retrievePaymentIntent: (id) =>
      retrieve('paymentIntents.retrieve', 'payment_intent', id, (known) => stripe.paymentIntents.retrieve(known)),
    retrieveCharge,
    retrieveRefund: (id) => retrieve('refunds.retrieve', 'refund', id, (known) => stripe.refunds.retrieve(known)),
    retrieveDispute: (id) => retrieve('disputes.retrieve', 'dispute', id, (known) => stripe.disputes.retrieve(known)),
    walkRefunds(query = {}) {
      return walkPages(query, (page) => askList('refunds.list', () => stripe.refunds.list({ ...page })));
    },
    walkDisputes(query = {}) {
      return walkPages(query, (page) => askList('disputes.list', () => stripe.disputes.list({ ...page })));
    },
    async listRefunds(paymentIntentId) {
      const payment_intent = checkedId(paymentIntentId, 'refunds.list');
      const ask = () => stripe.refunds.list({ payment_intent, limit: pageSize });
      return (await askList('refunds.list', ask)).items;
    },
    async listDisputes(paymentIntentId) {
      const payment_intent = checkedId(paymentIntentId, 'disputes.list');
      const ask = () => stripe.disputes.list({ payment_intent, limit: pageSize });
      return (await askList('disputes.list', ask)).items;
    },
    retrieveEvent: (id) => retrieve('events.retrieve', 'event', id, (known) => stripe.events.retrieve(known)),
    // Whoever answers with something else says nothing about the account, and will not the next time: that is a refusal.
    retrieveAccount: () =>
      askObject('accounts.retrieveCurrent', 'account', () => stripe.accounts.retrieveCurrent(), 'refused'),
    listEvents({ types, deliverySuccess, ...pages } = {}) {
      return walkPages(pages, (page) =>
        askList('events.list', () =>
          stripe.events.list({
            ...page,
            ...(types === undefined ? {} : { types: [...types] }),
            ...(deliverySuccess === undefined ? {} : { delivery_success: deliverySuccess }),
          }),
        ),
      );
    },
    listSessions({ status, paymentLink, withPayments, ...pages } = {}) {
      return walkPages(pages, (page) =>
        askList('checkout.sessions.list', () =>
          stripe.checkout.sessions.list({
            ...page,
            ...(status === undefined ? {} : { status }),
            ...(paymentLink === undefined ? {} : { payment_link: paymentLink }),
            ...(withPayments === true ? { expand: ['data.payment_intent.latest_charge'] } : {}),
          }),
        ),
      );
    },
    async listWebhookEndpoints() {
      const endpoint = 'webhookEndpoints.list';
      const found: WebhookEndpoint[] = [];
      const walk = walkPages({ pagesMax: endpointPagesMax }, (page) =>
        askList(endpoint, () => stripe.webhookEndpoints.list(page)),
      );
      for await (const { items } of walk) {
        for (const item of items) found.push(expected(asWebhookEndpoint(item), endpoint));
      }
      return found;
    },
    async tryRead(kind) {
      try {
        await ask(`${kind}.try`, () => looks[kind]());
      } catch (error) {
        if (!(error instanceof StripeCallError) || error.code !== 'STRIPE_NOT_FOUND') throw error;
      }
    },
    async close() {
      closed = true;
      httpClient.destroy();
      await Promise.allSettled([...underWay]);
    },
  };
}

/** An empty or odd id would turn "retrieve" into another endpoint's path; dots alone are a path of their own. */
function checkedId(id: string, endpoint: string): string {
  if (!/^(?!\.+$)[\w.-]{1,255}$/.test(id))
    throw new StripeCallError('STRIPE_REQUEST_INVALID', 'not-sent', { endpoint });
  return id;
}

/** A 400 does not say which expansion it is about; a 403 names the permission that is missing, or nothing. */
function mayBeTheShippingRate(error: unknown): boolean {
  if (!(error instanceof StripeCallError)) return false;
  if (error.code === 'STRIPE_PERMISSION') return error.permission?.includes('shipping_rate') ?? true;
  return error.httpStatus === 400;
}

function expected<Answer>(answer: Answer | null, endpoint: string, stage: StripeCallStage = 'unheard'): Answer {
  if (answer === null) throw unexpected(endpoint, stage);
  return answer;
}

function unexpected(endpoint: string, stage: StripeCallStage = 'unheard'): StripeCallError {
  return new StripeCallError('STRIPE_ANSWER_UNEXPECTED', stage, { endpoint });
}
