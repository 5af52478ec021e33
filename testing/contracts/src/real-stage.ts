import { setTimeout as pause } from 'node:timers/promises';
import { CannotArrange, type Stage } from './stage';
import type { Suite } from './suite';

const PATIENCE_MS = { long: 5_000, short: 3_000 };

export interface Operator {
  /** Tells a line. */
  readonly tell: (line: string) => void;
  /** Shows a request and returns when the person says that it is done; false when nobody can be asked. */
  readonly ask: (request: string) => Promise<boolean>;
}

/** The stage of a real server: waits where time has to pass, and asks the operator for what only a person can do. */
export function createRealStage(suite: Suite, { tell, ask }: Operator): Stage {
  return {
    patienceMs: PATIENCE_MS,
    prepare: async () => undefined,
    arrange: async ({ what, how }, variables) => {
      const real = suite.arrangements[what];
      if (real === undefined) throw new CannotArrange(`nobody knows how to arrange: ${what}`);
      if (real.by === 'operator' && !(await ask(real.please))) throw new CannotArrange(`nobody did: ${real.please}`);
      if (real.by !== 'waiting') return;
      const seconds = real.seconds(how, variables);
      if (seconds >= 30) tell(`waiting ${seconds} s: ${what}`);
      await pause(seconds * 1_000);
    },
  };
}
