import type { Closure, Gates } from '@bridge/gates';
import { type Repeating, repeat } from './repeat';

export interface PeerWatch {
  /** The scope of its circuit, `filemaker` or `stripe`. */
  scope: string;
  /** Looks whether the peer is back; rejects while it is not. Must end within `PROBE_HOLD_MS` of `gates`. */
  probe(): Promise<void>;
  /** Jobs that need this peer stop being fetched while it is closed. */
  jobs: { pause(): Promise<void>; resume(): void };
}

export interface GateWatch extends Repeating {
  /** Whether this peer counted as away at the last look. */
  isAway(peer: string): boolean;
  /** The first reason that keeps one of these scopes closed, as of the last look; asks anew when that is long ago. */
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string; afterMs: number } | undefined>;
}

/**
 * A script or flow that was closed for this cause is open again, so that its rows need not wait out their time. Every
 * process is told; harmless to do twice. What it throws is tried again at the next look.
 */
export type OnOpened = (closure: { scope: string; cause: string }) => Promise<unknown>;

/** How old this process's knowledge of a pause, halt, circuit or window usually is at most. */
const LOOK_EVERY_MS = 250;
/** The few effects in hand when a peer goes away; the others stay in the queue, which is paused. */
const CLOSED_MS = 1_000;
/**
 * A script or flow that stands still may hold thousands, and each look costs two statements. They are made due when it
 * opens; so long waits only what no process saw opening.
 */
const CLOSED_SCOPE_MS = 30_000;
/** Older knowledge is not acted upon: PostgreSQL was slow, or the process has only just started. */
const KNOWN_FOR_MS = 2_000;

/**
 * Follows the gates for one process: pauses its jobs while a peer is closed, takes its turn as the one probe, resumes at
 * once when any process has closed the circuit, and tells when a script or flow is open again.
 */
export function watchGates(
  gates: Gates,
  peers: readonly PeerWatch[],
  onError: (error: Error) => void,
  onOpened: OnOpened = async () => undefined,
): GateWatch {
  let known: readonly Closure[] = [];
  let knownSince = Number.NEGATIVE_INFINITY;
  const paused = new Set<string>();
  const probing = new Set<string>();
  /** Scopes other than peers that were closed at the last look, with why. */
  let closed = new Map<string, { scope: string; cause: string }>();

  const isPeer = (scope: string): boolean => peers.some((peer) => peer.scope === scope);

  async function refresh(): Promise<void> {
    // The moment of asking, not of the answer: that is how old the answer may be.
    const asked = performance.now();
    const closures = await gates.closures();
    // Two may be asking at once; an older answer that comes later is no news.
    if (asked < knownSince) return;
    known = closures;
    knownSince = asked;
  }

  async function probe(peer: PeerWatch): Promise<void> {
    if (!(await gates.takeProbe(peer.scope))) return;
    const back = await peer.probe().then(
      () => true,
      () => false, // what keeps it away stands in the circuit's row already
    );
    if (!back) {
      await gates.probeFailed(peer.scope);
      return;
    }
    await gates.closeCircuit(peer.scope);
    // Whoever has found it back need not wait for its next look.
    await look();
  }

  /** Beside the looks, not within them: a peer that hangs must not keep this process from seeing a pause. */
  function startProbe(peer: PeerWatch): void {
    if (probing.has(peer.scope)) return;
    probing.add(peer.scope);
    probe(peer)
      .catch((error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
      .finally(() => probing.delete(peer.scope));
  }

  async function look(): Promise<void> {
    await refresh();
    for (const peer of peers) {
      const closures = known.filter((closure) => closure.scope === peer.scope);
      if (closures.length > 0 && !paused.has(peer.scope)) {
        paused.add(peer.scope);
        await peer.jobs.pause().catch((error: unknown) => {
          paused.delete(peer.scope);
          throw error;
        });
      } else if (closures.length === 0 && paused.delete(peer.scope)) {
        peer.jobs.resume();
      }
      // What people or the calendar have closed is left alone: it may be away on purpose, and is looked at afterwards.
      if (closures.length > 0 && closures.every((closure) => closure.kind === 'circuit')) startProbe(peer);
    }
    await tellOpened();
  }

  async function tellOpened(): Promise<void> {
    const now = new Map(
      known.filter(({ scope }) => !isPeer(scope)).map(({ scope, cause }) => [`${scope} ${cause}`, { scope, cause }]),
    );
    const before = closed;
    closed = now;
    for (const [name, closure] of before) {
      if (now.has(name)) continue;
      try {
        await onOpened(closure);
      } catch (error) {
        closed.set(name, closure);
        throw error;
      }
    }
  }

  const looking = repeat(look, LOOK_EVERY_MS, onError);
  return {
    stop: () => looking.stop(),
    isAway: (peer) => known.some(({ scope, kind }) => scope === peer && kind === 'circuit'),
    closedBecause: async (scopes) => {
      if (performance.now() - knownSince > KNOWN_FOR_MS) await refresh();
      const closure = known.find((one) => scopes.includes(one.scope));
      if (closure === undefined) return undefined;
      const afterMs = isPeer(closure.scope) ? CLOSED_MS : CLOSED_SCOPE_MS;
      return { cause: closure.cause, detail: closure.detail, afterMs };
    },
  };
}
