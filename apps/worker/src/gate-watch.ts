import type { Closure, Gates } from '@bridge/gates';
import { type Repeating, repeat } from './repeat';

export interface PeerWatch {
  /** The scope of its circuit, `filemaker` or `stripe`. */
  scope: string;
  /** Looks whether the peer is back; rejects while it is not. Bounded in time. */
  probe(): Promise<void>;
  /** Jobs that need this peer stop being fetched while it is closed. */
  jobs: { pause(): Promise<void>; resume(): void };
}

export interface GateWatch extends Repeating {
  /** The first reason that keeps one of these scopes closed, as of the last look. */
  closedBecause(scopes: readonly string[]): Promise<{ cause: string; detail: string } | undefined>;
}

/** How old this process's knowledge of a pause, halt or circuit can be. */
const LOOK_EVERY_MS = 250;

/**
 * Follows the rows of `gates` for one process: pauses its jobs while a peer is closed, takes its turn as the one probe,
 * and resumes at once when any process has closed the circuit.
 */
export function watchGates(gates: Gates, peers: readonly PeerWatch[], onError: (error: Error) => void): GateWatch {
  let known: readonly Closure[] = [];
  const paused = new Set<string>();

  async function look(): Promise<void> {
    known = await gates.closures();
    for (const peer of peers) {
      const closed = known.find((closure) => closure.scope === peer.scope);
      if (closed !== undefined && !paused.has(peer.scope)) {
        paused.add(peer.scope);
        await peer.jobs.pause();
      } else if (closed === undefined && paused.has(peer.scope)) {
        paused.delete(peer.scope);
        peer.jobs.resume();
      }
      const away = known.some((closure) => closure.scope === peer.scope && closure.kind === 'circuit');
      if (away && (await gates.takeProbe(peer.scope))) {
        const back = await peer.probe().then(
          () => true,
          () => false, // what keeps it away stands in the circuit's row already
        );
        if (back) await gates.closeCircuit(peer.scope);
      }
    }
  }

  const looking = repeat(look, LOOK_EVERY_MS, onError);
  return {
    stop: () => looking.stop(),
    closedBecause: async (scopes) => {
      const closure = known.find((one) => scopes.includes(one.scope));
      return closure === undefined ? undefined : { cause: closure.cause, detail: closure.detail };
    },
  };
}
