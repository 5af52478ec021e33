import { z } from 'zod';
import type { SeededRandom } from './seeded-random';

export const ENDPOINTS = [
  'login',
  'logout',
  'validate',
  'productInfo',
  'databases',
  'metadata',
  'script',
  'create',
  'edit',
  'get',
  'delete',
  'list',
  'find',
  'globals',
] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

const code = z.union([z.string().regex(/^-?\d+$/), z.number().int()]).transform(String);
const when = z.enum(['before', 'after']);
const aim = {
  /** Which endpoints; `run` is every call that carries a script; left out: all of them. */
  on: z.array(z.enum([...ENDPOINTS, 'run'])).optional(),
  /** Only calls whose URL or body contains this text: an idempotency key, an invoice id. */
  about: z.string().optional(),
  /** How many calls it strikes; null: no end. */
  times: z.number().int().min(1).nullable().default(1),
  /** Strikes each matching call with this probability, from the seeded numbers. */
  fraction: z.number().min(0).max(1).default(1),
  /** Ends by itself after this much simulator time. */
  forMs: z.number().int().min(1).optional(),
};

export const troubleRequest = z.discriminatedUnion('kind', [
  /** An API error before anything happened; code 952 also voids the token unless `voidsToken` is false. */
  z.strictObject({
    kind: z.literal('refuse'),
    ...aim,
    code,
    httpStatus: z.number().int().min(200).max(599).optional(),
    voidsToken: z.boolean().optional(),
  }),
  /** The connection is destroyed, before the call is carried out or after it was committed. */
  z.strictObject({ kind: z.literal('cut'), ...aim, when }),
  /** Half of the answer is sent, then the connection is destroyed. */
  z.strictObject({ kind: z.literal('truncate'), ...aim }),
  /** No answer, ever, while the call is carried out (`after`) or not (`before`). */
  z.strictObject({ kind: z.literal('hang'), ...aim, when }),
  /** A web server's page instead of the API's envelope. */
  z.strictObject({
    kind: z.literal('html'),
    ...aim,
    when: when.default('before'),
    httpStatus: z.number().int().min(200).max(599).default(502),
  }),
  /** More time before the call is carried out. */
  z.strictObject({ kind: z.literal('slow'), ...aim, ms: z.number().int().min(1).max(600_000) }),
  /** The script ends with this error and did nothing. */
  z.strictObject({ kind: z.literal('script-error'), ...aim, code }),
  /** The script's transaction fails with this code: a kit script reverts, a plain one stops with it. */
  z.strictObject({ kind: z.literal('commit-error'), ...aim, code }),
  /**
   * The script does its work; its result is missing, no JSON, or speaks of another key. `row-missing`: a kit script keeps its
   * work without a row in the log, and says so.
   */
  z.strictObject({
    kind: z.literal('result'),
    ...aim,
    result: z.enum(['missing', 'garbage', 'other-key', 'row-missing']),
  }),
  /** The session is disconnected while the call runs: answer 112, token void, script per `script`. */
  z.strictObject({ kind: z.literal('kill'), ...aim, script: z.enum(['survives', 'cut']).default('survives') }),
]);
/** The names of all troubles. */
export const TROUBLE_KINDS = troubleRequest.options.map((option) => option.shape.kind.value);
export type Trouble = z.output<typeof troubleRequest>;

/** As it is POSTed to `/_simulator/trouble`. */
export type TroubleRequest = z.input<typeof troubleRequest>;

/** The call that a trouble may strike. */
export interface StruckCall {
  readonly endpoint: Endpoint;
  readonly carriesScript: boolean;
  readonly text: string;
}

interface QueuedTrouble {
  readonly trouble: Trouble;
  readonly endsAt: number;
  left: number;
  struck: number;
}

/** Troubles in the order they were queued; the first that fits a call strikes it. */
export class TroubleQueue {
  #queued: QueuedTrouble[] = [];

  add(trouble: Trouble, now: number): void {
    const endsAt = trouble.forMs === undefined ? Number.POSITIVE_INFINITY : now + trouble.forMs;
    this.#queued.push({ trouble, endsAt, left: trouble.times ?? Number.POSITIVE_INFINITY, struck: 0 });
  }

  /** Every call draws at most one number per fitting trouble with a fraction, so a seed repeats a run of calls. */
  strike(call: StruckCall, random: SeededRandom, now: number): Trouble | undefined {
    this.#queued = this.#queued.filter((entry) => entry.left > 0 && entry.endsAt > now);
    for (const entry of this.#queued) {
      if (!fits(entry.trouble, call)) continue;
      if (entry.trouble.fraction < 1 && random.next() >= entry.trouble.fraction) continue;
      entry.left -= 1;
      entry.struck += 1;
      return entry.trouble;
    }
    return undefined;
  }

  list(): { trouble: Trouble; left: number | null; struck: number }[] {
    return this.#queued.map(({ trouble, left, struck }) => ({
      trouble,
      left: Number.isFinite(left) ? left : null,
      struck,
    }));
  }

  clear(): void {
    this.#queued = [];
  }
}

function fits(trouble: Trouble, call: StruckCall): boolean {
  const { on, about } = trouble;
  if (on !== undefined && !on.includes(call.endpoint) && !(call.carriesScript && on.includes('run'))) return false;
  return about === undefined || call.text.includes(about);
}
