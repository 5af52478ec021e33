import type { Executor } from '@bridge/database';

/** What the missed webhook would have been. It goes the road of all events under an id of its own. */
export interface ReplayEvent {
  /** The object's id at the peer. */
  objectId: string;
  eventType: string;
  /** No more than its id and kind; flows read the current one at the peer. */
  object: Readonly<Record<string, unknown>>;
  livemode: boolean;
  createdAt: Date | null;
}

/** One page of payments that succeeded in a window. */
export interface ReplayPage {
  events: readonly ReplayEvent[];
  /** JSON: the same question goes on behind this page when it is given this. */
  cursor: unknown;
}

/** What a search for payments is given. */
export interface ReplayContext {
  /** For reading the flow's own tables, outside any transaction. */
  records: Executor;
}

/** How what a person names becomes events again. Reads only; throws the peers' own errors. */
export interface ReplayHalf<Settings, Peers> {
  /** Top-level fields of a payload that the peer fills anew at every reading, such as an address that expires. */
  volatile: readonly string[];
  /**
   * The objects that this word names: an id at the peer or a number of the company's own. Undefined: not a word that this
   * flow understands. Empty: understood, and nothing is there.
   */
  find(
    word: string,
    context: ReplayContext & { settings: Settings; peers: Peers },
  ): Promise<readonly ReplayEvent[] | undefined>;
  /** Everything whose money succeeded in the window, by our records and by the peer's; one object may come twice. */
  succeededBetween(
    window: { since: Date; until: Date },
    context: ReplayContext & { settings: Settings; peers: Peers; cursor: unknown },
  ): AsyncIterable<ReplayPage>;
}

/** A `ReplayHalf` joined with its settings and peers. */
export interface BoundReplay {
  readonly volatile: readonly string[];
  find(word: string, context: ReplayContext): Promise<readonly ReplayEvent[] | undefined>;
  succeededBetween(
    window: { since: Date; until: Date },
    context: ReplayContext & { cursor: unknown },
  ): AsyncIterable<ReplayPage>;
}

export function bindReplay<Settings, Peers>(
  half: ReplayHalf<Settings, Peers>,
  bound: { settings: Settings; peers: Peers },
): BoundReplay {
  return {
    volatile: half.volatile,
    find: (word, context) => half.find(word, { ...context, ...bound }),
    succeededBetween: (window, context) => half.succeededBetween(window, { ...context, ...bound }),
  };
}
