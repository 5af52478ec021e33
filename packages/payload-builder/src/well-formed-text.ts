/**
 * Text as the customer typed it, except that half of a surrogate pair becomes U+FFFD: such a half has no UTF-8 form,
 * and a payload's bytes must be the same for everyone who encodes them.
 */
export function wellFormedText(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}
