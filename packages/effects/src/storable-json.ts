/**
 * JSON that PostgreSQL's jsonb takes: it refuses U+0000 and halves of surrogate pairs, which a peer's text may hold. They
 * become U+FFFD; an answer that cannot be stored must not keep an effect from being settled.
 */
export function storableJson(value: unknown): string {
  // JSON.stringify writes both as escapes. The first alternative steps over escaped backslashes.
  return JSON.stringify(value ?? null).replace(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/g, (found) =>
    found === '\\\\' ? found : '\\ufffd',
  );
}

/** Text that a text column takes. */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed();
}
