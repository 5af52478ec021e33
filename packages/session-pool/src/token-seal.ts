import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

/** A sealed token cannot be read: no configured key fits, it was altered, or it belongs to another session. */
export class TokenSealError extends Error {
  readonly code: 'TOKEN_KEY_UNKNOWN' | 'TOKEN_SEAL_BROKEN';
  constructor(code: TokenSealError['code'], message: string) {
    super(message);
    this.name = 'TokenSealError';
    this.code = code;
  }
}

export interface TokenSeal {
  seal(sessionId: string, token: string): Buffer;
  /** Throws TokenSealError. */
  open(sessionId: string, sealed: Uint8Array): string;
}

const keyIdOf = (key: Buffer) =>
  createHash('sha256').update('token-key').update(key).digest().subarray(0, KEY_ID_BYTES);

/**
 * Seals tokens with AES-256-GCM: version, key id, nonce, tag, text. The session's id is authenticated with it, so a
 * sealed token copied to another row does not open. The first key seals, all open: to rotate, put the new one first
 * and drop the old one after a session's life.
 */
export function createTokenSeal(keys: readonly Buffer[]): TokenSeal {
  const [sealing] = keys;
  if (sealing === undefined) throw new TypeError('At least one token key is needed');
  for (const key of keys) {
    if (key.length !== KEY_BYTES) throw new TypeError(`A token key has ${KEY_BYTES} bytes, not ${key.length}`);
  }
  const byId = new Map(keys.map((key) => [keyIdOf(key).toString('hex'), key]));
  const boundTo = (sessionId: string) => Buffer.from(`filemaker-session:${sessionId}`);
  return {
    seal(sessionId, token) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(boundTo(sessionId));
      const text = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(VERSION), keyIdOf(sealing), nonce, cipher.getAuthTag(), text]);
    },
    open(sessionId, sealed) {
      const bytes = Buffer.from(sealed);
      if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) {
        throw new TokenSealError('TOKEN_SEAL_BROKEN', `The sealed token of session ${sessionId} is malformed`);
      }
      const key = byId.get(bytes.subarray(1, 1 + KEY_ID_BYTES).toString('hex'));
      if (key === undefined) {
        throw new TokenSealError('TOKEN_KEY_UNKNOWN', `No configured key opens the token of session ${sessionId}`);
      }
      const nonceEnd = 1 + KEY_ID_BYTES + NONCE_BYTES;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1 + KEY_ID_BYTES, nonceEnd))
        .setAAD(boundTo(sessionId))
        .setAuthTag(bytes.subarray(nonceEnd, HEAD_BYTES));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(HEAD_BYTES)), decipher.final()]).toString('utf8');
      } catch {
        throw new TokenSealError('TOKEN_SEAL_BROKEN', `The sealed token of session ${sessionId} was altered or moved`);
      }
    },
  };
}
