import { z } from 'zod';
import type { ApiLog } from './api/api-log';
import type { IdempotencyKeys } from './api/idempotency';
import { TROUBLE_KINDS, type Trouble, type TroubleRule } from './api/trouble';
import { type Books, keepBooks } from './books';
import { createBulkSales, type GivenBulkOrder } from './bulk-sales';
import { stockCatalogue } from './catalogue';
import type { Attempt, Deliveries, DeliverOptions, DeliverResult } from './deliveries';
import { closeDispute, type DisputeResult, openDispute } from './disputes';
import type { Endpoint, EndpointDraft, Endpoints } from './endpoints';
import { createRefund, failRefund, type RefundResult, updateRefund } from './refunds';
import type { GivenSaleOrder } from './sale-order';
import { completeSale, createSale, type SaleResult } from './sales';
import type { DeliverySettings, RateLimitSettings } from './settings';
import { captureSale, expireSale, failSale, paymentOf, settleSale } from './settlement';
import type { DisputeStatus, RefundStatus } from './wire';
import type { World } from './world';

export interface ControlParts {
  world: World;
  endpoints: Endpoints;
  deliveries: Deliveries;
  trouble: Trouble;
  idempotency: IdempotencyKeys;
  log: ApiLog;
}

const REFUND_STATUSES = [
  'pending',
  'requires_action',
  'succeeded',
  'failed',
  'canceled',
] as const satisfies RefundStatus[];
const DISPUTE_STATUSES = [
  'appeal_needs_response',
  'appeal_under_review',
  'lost',
  'needs_response',
  'prevented',
  'under_review',
  'warning_closed',
  'warning_needs_response',
  'warning_under_review',
  'won',
] as const satisfies DisputeStatus[];
const fraction = z.number().min(0).max(1);
const ms = z.number().int().nonnegative();

export const schemas = {
  refund: z.strictObject({
    /** Minor units; default what is left. */
    amount: z.number().int().positive().optional(),
    status: z.enum(REFUND_STATUSES).default('succeeded'),
    reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).default('requested_by_customer'),
  }),
  refundUpdate: z.strictObject({ status: z.enum(REFUND_STATUSES).default('succeeded') }),
  refundFailure: z.strictObject({ reason: z.string().default('expired_or_canceled_card') }),
  dispute: z.strictObject({
    amount: z.number().int().positive().optional(),
    reason: z.string().default('fraudulent'),
    status: z.enum(DISPUTE_STATUSES).default('needs_response'),
  }),
  disputeEnd: z.strictObject({ status: z.enum(DISPUTE_STATUSES).default('lost') }),
  deliver: z.strictObject({
    eventIds: z.array(z.string()).optional(),
    duplicates: fraction.optional(),
    shuffle: z.boolean().optional(),
    concurrency: z.number().int().positive().max(500).optional(),
    ratePerSecond: z.number().positive().optional(),
    signatureAgeSeconds: z.number().int().optional(),
    secrets: z.array(z.string()).optional(),
  }),
  endpoint: z.strictObject({
    url: z.url(),
    secrets: z.array(z.string()).optional(),
    enabledEvents: z.array(z.string()).optional(),
    apiVersion: z.string().nullable().optional(),
    audience: z.enum(['own', 'connected', 'both']).optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  }),
  endpointChange: z.strictObject({
    url: z.url().optional(),
    secrets: z.array(z.string()).optional(),
    enabledEvents: z.array(z.string()).optional(),
    audience: z.enum(['own', 'connected', 'both']).optional(),
    disabled: z.boolean().optional(),
  }),
  trouble: z.strictObject({
    kind: z.enum(TROUBLE_KINDS),
    pathPrefix: z.string().optional(),
    method: z.string().optional(),
    next: z.number().int().positive().optional(),
    fraction: fraction.optional(),
    forMs: ms.optional(),
    slowMs: ms.optional(),
    when: z.enum(['before', 'after']).optional(),
    reason: z.string().optional(),
  }),
  clock: z.strictObject({
    now: z
      .union([z.number(), z.iso.datetime({ offset: true })])
      .transform((value) => (typeof value === 'number' ? value * 1000 : Date.parse(value)))
      .optional(),
    advanceMs: z.number().int().optional(),
    frozen: z.boolean().optional(),
  }),
  settings: z.strictObject({
    delivery: z
      .strictObject({
        atOnce: z.boolean(),
        delayMs: ms,
        duplicateFraction: fraction,
        shuffleWindowMs: ms,
        lossFraction: fraction,
        twinFraction: fraction,
        typesNeverGenerated: z.array(z.string()),
        neverGeneratedFraction: fraction,
        concurrency: z.number().int().positive().max(500),
        retryDelaysMs: z.array(ms).max(50),
        retryTime: z.enum(['real', 'simulated']),
        timeoutMs: ms,
      })
      .partial()
      .optional(),
    rateLimits: z
      .strictObject({
        globalPerSecond: z.number().positive().nullable(),
        endpointPerSecond: z.number().positive().nullable(),
      })
      .partial()
      .optional(),
    accountApiVersion: z.string().optional(),
    restrictedKeys: z.record(z.string(), z.array(z.string())).optional(),
  }),
  wait: z.strictObject({
    /** Until so many different events got a 2xx. */
    delivered: z.coerce.number().int().nonnegative().optional(),
    /** Until nothing is waiting to be sent. */
    idle: z.stringbool().optional(),
    timeoutMs: z.coerce.number().int().positive().max(600_000).default(30_000),
  }),
  reset: z.strictObject({ seed: z.number().int().nonnegative().optional() }),
};

type Given<Name extends keyof typeof schemas> = z.input<(typeof schemas)[Name]>;

/** How a long poll ended. */
export interface WaitResult {
  /** Whether what was waited for came in time. */
  reached: boolean;
  delivered: number;
  outstanding: number;
}

/** What a test, a demo or a person does to the simulator; the HTTP control API is these functions. */
export interface Control {
  createSale(order?: GivenSaleOrder): SaleResult;
  createBulkSales(order: GivenBulkOrder): SaleResult[];
  completeSale(sessionId: string): SaleResult;
  settleSale(sessionId: string): string[];
  failSale(sessionId: string): string[];
  captureSale(sessionId: string): string[];
  expireSale(sessionId: string): string[];
  refundSale(sessionId: string, given?: Given<'refund'>): RefundResult;
  updateRefund(refundId: string, given?: Given<'refundUpdate'>): RefundResult;
  failRefund(refundId: string, given?: Given<'refundFailure'>): RefundResult;
  disputeSale(sessionId: string, given?: Given<'dispute'>): DisputeResult;
  closeDispute(sessionId: string, given?: Given<'disputeEnd'>): DisputeResult;
  deliver(options?: DeliverOptions): Promise<DeliverResult>;
  resend(eventId: string): Promise<DeliverResult>;
  deliveries(): readonly Attempt[];
  wait(given: { delivered?: number; idle?: boolean; timeoutMs?: number }): Promise<WaitResult>;
  addEndpoint(draft: EndpointDraft): Endpoint;
  changeEndpoint(id: string, change: Given<'endpointChange'>): Endpoint;
  removeEndpoint(id: string): boolean;
  endpoints(): Endpoint[];
  addTrouble(rule: TroubleRule): void;
  clearTrouble(): void;
  troubles(): TroubleRule[];
  changeClock(given: Given<'clock'>): { now: string };
  changeSettings(given: Given<'settings'>): { delivery: DeliverySettings; rateLimits: RateLimitSettings };
  books(): Books;
  reset(given?: Given<'reset'>): void;
}

export function createControl({ world, endpoints, deliveries, trouble, idempotency, log }: ControlParts): Control {
  return {
    createSale: (order = {}) => createSale(world, order),
    createBulkSales: (order) => createBulkSales(world, order),
    completeSale: (sessionId) => completeSale(world, sessionId),
    settleSale: (sessionId) => settleSale(world, sessionId),
    failSale: (sessionId) => failSale(world, sessionId),
    captureSale: (sessionId) => captureSale(world, sessionId),
    expireSale: (sessionId) => expireSale(world, sessionId),
    refundSale: (sessionId, given = {}) => {
      const { amount, status, reason } = schemas.refund.parse(given);
      const { charge } = paymentOf(world, sessionId);
      const left = charge.amount_captured - charge.amount_refunded;
      return createRefund(world, { charge, amount: amount ?? left, status, reason, metadata: {} });
    },
    updateRefund: (refundId, given = {}) => updateRefund(world, refundId, schemas.refundUpdate.parse(given).status),
    failRefund: (refundId, given = {}) => failRefund(world, refundId, schemas.refundFailure.parse(given).reason),
    disputeSale: (sessionId, given = {}) => openDispute(world, sessionId, schemas.dispute.parse(given)),
    closeDispute: (sessionId, given = {}) => closeDispute(world, sessionId, schemas.disputeEnd.parse(given).status),
    deliver: (options = {}) => deliveries.deliver(options),
    resend: (eventId) => deliveries.resend(eventId),
    deliveries: () => deliveries.attempts(),
    wait: async ({ delivered, idle, timeoutMs = 30_000 }) => {
      const reached = await deliveries.waitUntil(
        () => deliveries.acknowledged().size >= (delivered ?? 0) && (idle !== true || deliveries.outstanding() === 0),
        timeoutMs,
      );
      return { reached, delivered: deliveries.acknowledged().size, outstanding: deliveries.outstanding() };
    },
    addEndpoint: (draft) => endpoints.add(draft),
    changeEndpoint: (id, change) => endpoints.change(id, change),
    removeEndpoint: (id) => endpoints.remove(id),
    endpoints: () => endpoints.all(),
    addTrouble: (rule) => trouble.add(rule),
    clearTrouble: () => trouble.clear(),
    troubles: () => trouble.active(),
    changeClock: (given) => {
      const { now, ...change } = schemas.clock.parse(given);
      world.clock.change({ ...change, nowMs: now });
      return { now: new Date(world.clock.nowMs()).toISOString() };
    },
    changeSettings: (given) => {
      const { delivery, rateLimits, ...rest } = schemas.settings.parse(given);
      Object.assign(world.settings.delivery, delivery);
      Object.assign(world.settings.rateLimits, rateLimits);
      Object.assign(world.settings, rest);
      return { delivery: world.settings.delivery, rateLimits: world.settings.rateLimits };
    },
    books: () => keepBooks(world, deliveries, log),
    reset: (given = {}) => {
      deliveries.reset();
      trouble.clear();
      idempotency.clear();
      log.clear();
      world.reset(schemas.reset.parse(given).seed);
      if (world.settings.catalogue) stockCatalogue(world);
    },
  };
}
