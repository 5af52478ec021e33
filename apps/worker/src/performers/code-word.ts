/**
 * What a company's script or log says of itself, where it has the shape of a code: it stands in reasons, on screens and in
 * logs. Anything else may be a sentence with a customer in it; it stays in FileMaker.
 */
export const codeWord = (text: string): string | undefined => (/^[A-Za-z0-9_.-]{1,40}$/.test(text) ? text : undefined);
