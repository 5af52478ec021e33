import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { SessionOpener } from '@bridge/session-pool';

/** Joins the session pool, which knows nothing of FileMaker's protocol, with the client that does. */
export function createSessionOpener(client: FileMakerClient): SessionOpener {
  return {
    open: () => client.login(),
    close: async (token) => {
      try {
        await client.logout(token);
      } catch (error) {
        // Gone already is what was wanted.
        if (!(error instanceof FileMakerError && error.session === 'drop')) throw error;
      }
    },
    validate: async (token) => {
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
      if (error.code === 'FILEMAKER_CAPACITY') return 'capacity';
      if (error.halt === 'credentials' || error.halt === 'login-attempts') return 'credentials';
      // Not by the stage: at login a 502 was never answered, and yet it opened no session. To count one would keep the
      // pool shut for the quarter of an hour that a session lives.
      if (error.session === 'quarantine') return 'unheard';
      return error.circuit || error.stage === 'not-sent' ? 'unavailable' : 'other';
    },
  };
}
