/** The API version of the stripe package this simulator was written against (stripe 23.1.0). */
export const CURRENT_API_VERSION = '2026-10-28.endive';

/** How webhooks travel. Times in ms, fractions from 0 to 1. */
export interface DeliverySettings {
  /** Whether a new event is sent at once. False keeps it until someone asks for a delivery. */
  atOnce: boolean;
  /** Wait before the first attempt, ms. */
  delayMs: number;
  /** Part (0 to 1) of the deliveries that are made twice. */
  duplicateFraction: number;
  /** Each delivery waits a random time up to this, ms: what was made in order arrives shuffled. */
  shuffleWindowMs: number;
  /** Part (0 to 1) of the deliveries that never leave; Stripe then counts the event as not delivered. */
  lossFraction: number;
  /** Part (0 to 1) of the events that get a twin: a second event with its own id that tells the same change. */
  twinFraction: number;
  /** Event types Stripe fails to make at all: neither listed nor delivered. */
  typesNeverGenerated: string[];
  /** Part (0 to 1) of all events that Stripe fails to make. */
  neverGeneratedFraction: number;
  /** Attempts in flight at one time, at all endpoints together. */
  concurrency: number;
  /** Waits between attempts, ms; after the last one the delivery has failed for good. */
  retryDelaysMs: number[];
  /** `real` waits by the machine's time, `simulated` by this simulator's clock, which a test can move on. */
  retryTime: 'real' | 'simulated';
  /** How long an attempt waits for its answer, ms. Stripe publishes no number. */
  timeoutMs: number;
}

export interface RateLimitSettings {
  /** Calls per second for the whole account; null is no limit. Stripe: 100 live, 25 in a sandbox. */
  globalPerSecond: number | null;
  /** Calls per second for one endpoint; null is no limit. Stripe: 25. */
  endpointPerSecond: number | null;
}

export interface StripeSimulatorSettings {
  host: string;
  /** 0 takes a free port. */
  port: number;
  apiKey: string;
  /** Restricted keys with what they may do: `checkout_sessions:read`, `refunds:write`, `*:read`. */
  restrictedKeys: Record<string, string[]>;
  accountId: string;
  /** Shape of events read through the API, and of requests and endpoints that name no version. */
  accountApiVersion: string;
  /** With a URL, one webhook endpoint exists from the start. */
  webhookUrl: string | null;
  webhookSecret: string;
  /** Drives ids, chance and bulk sales; without one every run differs. */
  seed: number | null;
  /** Whether a small catalogue is there from the start. */
  catalogue: boolean;
  /** What a Session says between authorisation and capture. Not confirmed by Stripe's pages, hence a switch. */
  manualCapturePaymentStatus: 'paid' | 'unpaid';
  delivery: DeliverySettings;
  rateLimits: RateLimitSettings;
}

/** What is left out stays as it is. */
export type PartialSettings = Partial<Omit<StripeSimulatorSettings, 'delivery' | 'rateLimits'>> & {
  delivery?: Partial<DeliverySettings>;
  rateLimits?: Partial<RateLimitSettings>;
};

export const DEFAULT_DELIVERY: DeliverySettings = {
  atOnce: true,
  delayMs: 0,
  duplicateFraction: 0,
  shuffleWindowMs: 0,
  lossFraction: 0,
  twinFraction: 0,
  typesNeverGenerated: [],
  neverGeneratedFraction: 0,
  concurrency: 16,
  retryDelaysMs: [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000],
  retryTime: 'real',
  timeoutMs: 20_000,
};

const DEFAULTS: Omit<StripeSimulatorSettings, 'delivery' | 'rateLimits'> = {
  host: '127.0.0.1',
  port: 0,
  apiKey: 'sk_test_simulator',
  restrictedKeys: {},
  accountId: 'acct_1SimulatedShop000',
  accountApiVersion: CURRENT_API_VERSION,
  webhookUrl: null,
  webhookSecret: 'whsec_simulator',
  seed: null,
  catalogue: true,
  manualCapturePaymentStatus: 'unpaid',
};

export function completeSettings(given: PartialSettings): StripeSimulatorSettings {
  return {
    ...DEFAULTS,
    ...given,
    delivery: { ...DEFAULT_DELIVERY, ...given.delivery },
    rateLimits: { globalPerSecond: null, endpointPerSecond: null, ...given.rateLimits },
  };
}

/** Reads PORT, HOST and the STRIPE_SIMULATOR_… variables. Throws an Error that names every fault. */
export function settingsFromEnvironment(environment: Record<string, string | undefined>): PartialSettings {
  const faults: string[] = [];
  const whole = (name: string): number | undefined => {
    const text = environment[name];
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0) faults.push(`${name} must be a whole number, not "${text}"`);
    return value;
  };
  const port = whole('PORT');
  const seed = whole('STRIPE_SIMULATOR_SEED');
  if (port !== undefined && port > 65_535) faults.push('PORT must be at most 65535');
  if (faults.length > 0) throw new Error(faults.join('; '));
  const text = (name: string): string | undefined => environment[name] || undefined;
  return withoutUndefined({
    port,
    seed,
    host: text('HOST'),
    apiKey: text('STRIPE_SIMULATOR_KEY'),
    webhookSecret: text('STRIPE_SIMULATOR_WEBHOOK_SECRET'),
    webhookUrl: text('STRIPE_SIMULATOR_WEBHOOK_URL'),
    accountApiVersion: text('STRIPE_SIMULATOR_API_VERSION'),
  });
}

function withoutUndefined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
