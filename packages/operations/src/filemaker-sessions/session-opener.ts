import { hkdfSync } from 'node:crypto';
import type { FilemakerConfig } from '@bridge/config';
import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { SessionOpener } from '@bridge/session-pool';

export interface SessionOpenerOptions {
  /**
   * Told of a login that FileMaker refused for a fault that meets every later one too (a wrong password, an expired
   * licence), before the pool learns that it failed. Must not throw.
   */
  onHalt?: (error: FileMakerError) => Promise<void>;
  /** FileMaker counts as away: sessions in quarantine are not looked at, since its return is found by one probe for all. */
  isAway?: () => boolean;
}

/**
 * Joins the session pool, which knows nothing of FileMaker's protocol, with the client that does. Workers and checks lend
 * out of one cap, so both judge every answer by this.
 */
export function createSessionOpener(client: FileMakerClient, options: SessionOpenerOptions = {}): SessionOpener {
  return {
    open: async () => {
      try {
        return await client.login();
      } catch (error) {
        if (error instanceof FileMakerError && error.halt !== undefined) await options.onHalt?.(error);
        throw error;
      }
    },
    close: async (token) => {
      try {
        await client.logout(token);
      } catch (error) {
        // Gone already is what was wanted.
        if (!(error instanceof FileMakerError && error.session === 'drop')) throw error;
      }
    },
    validate: async (token) => {
      if (options.isAway?.() === true) throw notAsked();
      try {
        const { inUse } = await client.validateSession(token);
        return inUse === undefined ? 'untold' : inUse ? 'busy' : 'free';
      } catch (error) {
        if (!(error instanceof FileMakerError)) throw error;
        if (error.session === 'drop') return 'gone';
        // Servers before the flag have no such endpoint: they answer, and do not tell.
        const answered = error.stage === 'refused' || error.httpStatus === 404 || error.httpStatus === 405;
        if (answered && !(error.circuit && error.apiCode !== undefined)) return 'untold';
        throw error;
      }
    },
    classify: (error) => {
      if (!(error instanceof FileMakerError)) return 'unheard';
      // 1701 is the whole host's: the circuit's probe finds its return within a second, a smaller cap would not.
      if (error.code === 'FILEMAKER_CAPACITY' && !error.circuit) return 'capacity';
      if (error.halt === 'credentials' || error.halt === 'login-attempts') return 'credentials';
      // A look that met an absent FileMaker says so for all sessions.
      if (error.circuit && error.endpoint !== 'login') return 'unavailable';
      // Not by the stage: at login a 502 was never answered, and yet it opened no session. To count one would keep the
      // pool shut for the quarter of an hour that a session lives.
      if (error.session === 'quarantine') return 'unheard';
      return error.circuit || error.stage === 'not-sent' ? 'unavailable' : 'other';
    },
  };
}

const notAsked = (): FileMakerError =>
  new FileMakerError(
    {
      code: 'FILEMAKER_UNAVAILABLE',
      meaning: 'FileMaker counts as away, and is not asked before it is found back',
      stage: 'not-sent',
      resend: 'yes',
      session: 'quarantine',
      circuit: false,
    },
    { endpoint: 'validateSession' },
  );

/**
 * The keys that seal tokens, the newest first. Outside production one may be missing: then it comes from the password, and
 * all processes of one bridge come to the same one.
 */
export function sessionTokenKeys(filemaker: Pick<FilemakerConfig, 'tokenKeys' | 'password' | 'username'>): Buffer[] {
  if (filemaker.tokenKeys !== undefined) return [...filemaker.tokenKeys];
  return [Buffer.from(hkdfSync('sha256', filemaker.password, filemaker.username, 'bridge session tokens', 32))];
}
