/** A name or parameter that cannot stand in a URL: empty, or not valid Unicode. Thrown before anything is sent. */
export class UnsendableRequest extends Error {
  override readonly name = 'UnsendableRequest';
}

/**
 * Percent-encodes one part of a URL so that every server decodes it to the same text: also the characters that
 * `encodeURIComponent` leaves alone, and a name made of dots only, which a web server would take for a folder step.
 */
export function encodePart(text: string): string {
  // A lone half of a surrogate pair has no UTF-8 form.
  if (/\p{Surrogate}/u.test(text)) throw new UnsendableRequest('the text is not valid Unicode');
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return /^\.{1,2}$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
}

function encodeName(text: string, what: string): string {
  if (text === '') throw new UnsendableRequest(`the ${what} is empty`);
  return encodePart(text);
}

/** What `runScript` needs to know about the script. `parameter` is the exact text that the script reads; '' sends none. */
export interface ScriptCall {
  readonly layout: string;
  readonly script: string;
  readonly parameter: string;
}

/** Builds every path from one database spelling, because a token is only known under the spelling it was given for. */
export interface RequestPaths {
  readonly sessions: string;
  readonly validateSession: string;
  readonly productInfo: string;
  readonly layouts: string;
  readonly scripts: string;
  session(token: string): string;
  records(layout: string): string;
  record(layout: string, recordId: string): string;
  find(layout: string): string;
  script(call: ScriptCall): string;
}

/** `prefix` is the path before `/fmi`, without a slash at its end. */
export function createRequestPaths(prefix: string, database: string): RequestPaths {
  // v2 is named, since what `vLatest` means changes with the server.
  const api = `${prefix}/fmi/data/v2`;
  const file = `${api}/databases/${encodeName(database, 'database name')}`;
  const layoutPath = (layout: string) => `${file}/layouts/${encodeName(layout, 'layout name')}`;
  return {
    sessions: `${file}/sessions`,
    validateSession: `${api}/validateSession`,
    productInfo: `${api}/productInfo`,
    layouts: `${file}/layouts`,
    scripts: `${file}/scripts`,
    session: (token) => `${file}/sessions/${encodeName(token, 'session token')}`,
    records: (layout) => `${layoutPath(layout)}/records`,
    record: (layout, recordId) => `${layoutPath(layout)}/records/${encodeName(recordId, 'record id')}`,
    find: (layout) => `${layoutPath(layout)}/_find`,
    script: ({ layout, script, parameter }) => {
      const path = `${layoutPath(layout)}/script/${encodeName(script, 'script name')}`;
      return parameter === '' ? path : `${path}?script.param=${encodePart(parameter)}`;
    },
  };
}
