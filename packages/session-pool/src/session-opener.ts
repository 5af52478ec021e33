/** What a failed call to FileMaker means for the pool. */
export type OpenerVerdict =
  /** FileMaker has no room for a session: 812, 956, 1638, 1701, and 1212 at login. */
  | 'capacity'
  /** FileMaker refused the account: 212, 214, 1702, 1703. */
  | 'credentials'
  /** The request surely opened nothing, and another would fare alike: never reached the server, or it is starting. */
  | 'unavailable'
  /** Sent, and no answer that tells: FileMaker may have opened a session. Also right whenever in doubt. */
  | 'unheard'
  /** Answered with another refusal: surely no session. */
  | 'other';

/** `untold`: this server does not say whether a session is in use. `gone`: it does not know the token (952). */
export type SessionUse = 'free' | 'busy' | 'untold' | 'gone';

/**
 * What the pool needs of FileMaker; the worker joins it with the client. Every method must end within a bounded time
 * and must not retry by itself.
 */
export interface SessionOpener {
  /** Logs in. One call opens one session at most. */
  open(): Promise<{ token: string }>;
  /** Logs out. Resolves too when FileMaker does not know the token any more. */
  close(token: string): Promise<void>;
  /** Asks whether the session is working on a call (Claris: Data API guide, validate-database-session). */
  validate(token: string): Promise<SessionUse>;
  /** Says what an error thrown by the three others means. */
  classify(error: unknown): OpenerVerdict;
}

/** The halts on FileMaker logins: rows in PostgreSQL that a person ends. */
export interface LoginHalts {
  isHalted(): Promise<{ cause: string; since: Date } | undefined>;
  /** Must be harmless when the same cause is halted already. */
  halt(cause: string, detail: string): Promise<void>;
}
