import type { Database } from '@bridge/database';
import { createGates } from '@bridge/gates';
import { audited } from './audit';
import type { Asked } from './release-effect';

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

/** Lifts what a person or a fault has closed. Tells how many closures were lifted. */
export function resumeScope(database: Database, scope: string, { by, why }: Asked): Promise<number> {
  return audited(
    database,
    { who: by, action: 'gate.resume', object: scope, why },
    () => createGates(database).resume(scope),
    (lifted) =>
      lifted > 0
        ? { outcome: 'done', detail: `${lifted} lifted` }
        : { outcome: 'refused', detail: 'nothing was closed' },
  );
}
