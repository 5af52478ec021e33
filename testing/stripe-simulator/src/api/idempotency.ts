import type { JsonObject } from '../json';
import { ApiError, invalidRequest } from './api-error';

export interface StoredAnswer {
  status: number;
  body: JsonObject;
}

interface Memory extends StoredAnswer {
  request: string;
  atMs: number;
}

const DAY_MS = 86_400_000;
const KEY_LENGTH_MAX = 255;

/**
 * First answers of POSTs by Idempotency-Key (Stripe: API reference, idempotent requests): repeated word for word for a
 * day, server errors too; other parameters under the same key are an idempotency_error; what was refused before it
 * began (400, 401, 403, 404, 429) is not kept.
 */
export class IdempotencyKeys {
  readonly #memory = new Map<string, Memory>();

  recall(key: string, request: string, nowMs: number): StoredAnswer | null {
    if (key.length > KEY_LENGTH_MAX) throw invalidRequest('Idempotency keys may have 255 characters.');
    const known = this.#memory.get(key);
    if (known === undefined) return null;
    if (nowMs - known.atMs > DAY_MS) {
      this.#memory.delete(key);
      return null;
    }
    if (known.request !== request) {
      throw new ApiError(
        400,
        'idempotency_error',
        'Keys for idempotent requests can only be used with the same parameters they were first used with.',
      );
    }
    return { status: known.status, body: known.body };
  }

  keep(key: string, request: string, answer: StoredAnswer, nowMs: number): void {
    if (answer.status >= 400 && answer.status < 500) return;
    this.#memory.set(key, { ...answer, request, atMs: nowMs });
  }

  /** A server error after the work was done is what later tries get, too. */
  overwrite(key: string, answer: StoredAnswer): void {
    const known = this.#memory.get(key);
    if (known !== undefined) this.#memory.set(key, { ...known, ...answer });
  }

  clear(): void {
    this.#memory.clear();
  }
}
