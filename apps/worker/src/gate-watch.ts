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
  /** The first reason that keeps one of these scopes closed, as of the last look; asks anew when that is long ago. */
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string; afterMs: number } | undefined>;
}

/** How old this process's knowledge of a pause, halt or circuit usually is at most. */
const LOOK_EVERY_MS = 250;
/** The few effects in hand when a peer goes away; the others stay in the queue, which is paused. */
const CLOSED_MS = 1_000;
/** A script or flow that stands still until a person acts may hold thousands; each look costs two statements. */
const CLOSED_BY_PERSON_MS = 10_000;
/** Older knowledge is not acted upon: PostgreSQL was slow, or the process has only just started. */
const KNOWN_FOR_MS = 2_000;

/**
 * Follows the rows of `gates` for one process: pauses its jobs while a peer is closed, takes its turn as the one probe,
 * and resumes at once when any process has closed the circuit.
 */
export function watchGates(gates: Gates, peers: readonly PeerWatch[], onError: (error: Error) => void): GateWatch {
  let known: readonly Closure[] = [];
  let knownSince = Number.NEGATIVE_INFINITY;
  const paused = new Set<string>();
  const probing = new Set<string>();

  async function refresh(): Promise<void> {
    // The moment of asking, not of the answer: that is how old the answer may be.
    const asked = performance.now();
    known = await gates.closures();
    knownSince = asked;
  }

  async function probe(peer: PeerWatch): Promise<void> {
    if (!(await gates.takeProbe(peer.scope))) return;
    const back = await peer.probe().then(
      () => true,
      () => false, // what keeps it away stands in the circuit's row already
    );
    if (back) await gates.closeCircuit(peer.scope);
    else await gates.probeFailed(peer.scope);
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
        await peer.jobs.pause();
        paused.add(peer.scope);
      } else if (closures.length === 0 && paused.delete(peer.scope)) {
        peer.jobs.resume();
      }
      if (closures.some((closure) => closure.kind === 'circuit')) startProbe(peer);
    }
  }

  const looking = repeat(look, LOOK_EVERY_MS, onError);
  return {
    stop: () => looking.stop(),
    closedBecause: async (scopes) => {
      if (performance.now() - knownSince > KNOWN_FOR_MS) await refresh();
      const closure = known.find((one) => scopes.includes(one.scope));
      if (closure === undefined) return undefined;
      const watched = peers.some((peer) => peer.scope === closure.scope);
      return { cause: closure.cause, detail: closure.detail, afterMs: watched ? CLOSED_MS : CLOSED_BY_PERSON_MS };
    },
  };
}
