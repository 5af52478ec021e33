/**
 * A find criterion that matches the whole field against exactly this text: `==`, with a backslash before every character that
 * could be an operator (Claris: FileMaker Pro help, "Finding text and characters"). A find is not known to respect case, so
 * compare what comes back with your value.
 */
export function exactly(value: string): string {
  return `==${value.replace(/[^A-Za-z0-9_-]/gu, (character) => `\\${character}`)}`;
}
