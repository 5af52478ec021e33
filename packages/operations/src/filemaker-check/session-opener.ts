import { hkdfSync } from 'node:crypto';
import type { FilemakerConfig } from '@bridge/config';
import { type FileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import type { SessionOpener } from '@bridge/session-pool';

/**
 * Joins pool and client as the worker does (apps/worker/src/session-opener.ts): both lend out of one cap, so they must
 * judge every answer alike. A test compares the two.
 */
export function createSessionOpener(client: FileMakerClient): SessionOpener {
  return {
    open: () => client.login(),
    close: async (token) => {
      try {
        await client.logout(token);
      } catch (error) {
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
        const answered = error.stage === 'refused' || error.httpStatus === 404 || error.httpStatus === 405;
        if (answered && !(error.circuit && error.apiCode !== undefined)) return 'untold';
        throw error;
      }
    },
    classify: (error) => {
      if (!(error instanceof FileMakerError)) return 'unheard';
      if (error.code === 'FILEMAKER_CAPACITY' && !error.circuit) return 'capacity';
      if (error.halt === 'credentials' || error.halt === 'login-attempts') return 'credentials';
      if (error.circuit && error.endpoint !== 'login') return 'unavailable';
      if (error.session === 'quarantine') return 'unheard';
      return error.circuit || error.stage === 'not-sent' ? 'unavailable' : 'other';
    },
  };
}

/** The keys that seal tokens; outside production they come from the password, in the same way for all processes. */
export function sessionTokenKeys(filemaker: FilemakerConfig): Buffer[] {
  if (filemaker.tokenKeys !== undefined) return [...filemaker.tokenKeys];
  return [Buffer.from(hkdfSync('sha256', filemaker.password, filemaker.username, 'bridge session tokens', 32))];
}
