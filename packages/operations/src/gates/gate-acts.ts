import type { Database } from '@bridge/database';
import { createGates } from '@bridge/gates';
import { audited } from '../audit/audit';
import type { Asked } from '../resolve/resolve-effect';

const SCOPE = /^(filemaker|stripe|notices|(script|flow):.{1,100})$/;

/** `filemaker`, `stripe`, `notices`, `script NAME` or `flow NAME` as people type it; undefined when it is none of them. */
export function parseScope(words: readonly string[]): string | undefined {
  const [kind, ...name] = words;
  const scope = name.length === 0 ? kind : `${kind}:${name.join(' ')}`;
  return scope !== undefined && SCOPE.test(scope) ? scope : undefined;
}

/** As people type it: the inverse of `parseScope`. */
export const scopeAsTyped = (scope: string): string => scope.replace(':', ' ');

/** Stops work in this scope in every process until somebody resumes it. */
export function pauseScope(database: Database, scope: string, { by, why }: Asked): Promise<void> {
  return audited(database, { who: by, action: 'gate.pause', object: scope, why }, () =>
    createGates(database).pause(scope, why, by),
  );
}

/** What a person's resume has opened. */
export interface Resumption {
  /** Pauses and halts that were lifted. */
  lifted: number;
  /** The peer counted as away; now it is called again, and counted as away again only if it really does not answer. */
  circuitClosed: boolean;
}

const PEERS: ReadonlySet<string> = new Set(['filemaker', 'stripe']);

/** Lifts what a person or a fault has closed; for a peer also the note that it is away. */
export function resumeScope(database: Database, scope: string, { by, why }: Asked): Promise<Resumption> {
  return audited(
    database,
    { who: by, action: 'gate.resume', object: scope, why },
    async () => {
      const gates = createGates(database);
      return {
        lifted: await gates.resume(scope),
        circuitClosed: PEERS.has(scope) && (await gates.closeCircuit(scope)),
      };
    },
    ({ lifted, circuitClosed }) =>
      lifted > 0 || circuitClosed
        ? { outcome: 'done', detail: `${lifted} lifted${circuitClosed ? ', circuit closed' : ''}` }
        : { outcome: 'refused', detail: 'nothing was closed' },
  );
}
