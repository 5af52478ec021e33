import type { ArrangeStep, ContractCase } from './contract-case';
import type { Variables } from './placeholders';

/** What a server is asked to be or do, where no request of the service itself could do it. */
export interface Stage {
  /** Called before each case. */
  prepare(contractCase: ContractCase): Promise<void>;
  /** Brings it about, and returns when it is so. Throws `CannotArrange` when it cannot. */
  arrange(step: ArrangeStep, variables: Variables): Promise<void>;
  /** How long to wait for an answer that may or may not come, milliseconds. */
  readonly patienceMs: { readonly long: number; readonly short: number };
}

/** The stage cannot do what was asked; the case is skipped with this reason. */
export class CannotArrange extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'CannotArrange';
  }
}

/** How an arrangement comes about at a real server. */
export type RealArrangement =
  /** It is so by itself, or the operator's own script sees to it. */
  | { readonly by: 'itself' }
  /** Time passes. */
  | { readonly by: 'waiting'; readonly seconds: (how: ArrangeStep['how'], variables: Variables) => number }
  /** A person does it and presses Enter. */
  | { readonly by: 'operator'; readonly please: string };

/** A stage for recordings: everything was arranged when it was recorded. */
export const nothingToArrange: Stage = {
  prepare: async () => undefined,
  arrange: async () => undefined,
  patienceMs: { long: 0, short: 0 },
};
