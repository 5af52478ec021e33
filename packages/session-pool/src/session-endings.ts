import type { KeeperCounts } from './keeper-counts';
import { codeOf, type PoolEvent } from './pool-event';
import type { SessionLender } from './session-lender';
import type { SessionOpener } from './session-opener';
import type { SessionRows } from './session-rows';
import { withinLimit } from './time-limit';
import type { TokenSeal } from './token-seal';

export interface SessionEndingsOptions {
  rows: SessionRows;
  lender: SessionLender;
  opener: SessionOpener;
  seal: TokenSeal;
  lookTimeoutMs: number;
  onEvent: (event: PoolEvent) => void;
}

/** How a session stops being counted: logged out by us, or forgotten by FileMaker. */
export class SessionEndings {
  readonly #options: SessionEndingsOptions;

  constructor(options: SessionEndingsOptions) {
    this.#options = options;
  }

  /** Counts until FileMaker has answered; then there is room. */
  async close(sessionId: string, sealedToken: Buffer, counts: KeeperCounts): Promise<void> {
    const { opener, rows, lender, lookTimeoutMs, onEvent } = this.#options;
    const token = this.unseal(sessionId, sealedToken);
    if (token === undefined) return;
    try {
      await withinLimit(opener.close(token), lookTimeoutMs);
    } catch (error) {
      onEvent({ kind: 'failed', duty: 'close', code: codeOf(error) });
      return;
    }
    if (!(await rows.remove(sessionId))) return;
    counts.closed += 1;
    onEvent({ kind: 'forgotten', sessionId, because: 'closed' });
    await lender.tellRoom();
  }

  /** Tells that it is over and counts no more. */
  forgotten(sessionId: string, because: 'gone' | 'outlived', counts: KeeperCounts): void {
    counts.forgotten += 1;
    this.#options.onEvent({ kind: 'forgotten', sessionId, because });
  }

  /** Undefined: no key that we have opens it. */
  unseal(sessionId: string, sealedToken: Buffer): string | undefined {
    try {
      return this.#options.seal.open(sessionId, sealedToken);
    } catch (error) {
      this.#options.onEvent({ kind: 'unreadable-token', sessionId, code: codeOf(error) });
      return undefined;
    }
  }
}
