/** Codes the simulator answers with, and the HTTP status each goes out under unless `httpStatuses` says otherwise. */
const KNOWN_CODES: Readonly<Record<string, { message: string; status: number }>> = {
  '0': { message: 'OK', status: 200 },
  '-1': { message: 'Unknown error', status: 500 },
  '9': { message: 'Insufficient privileges', status: 403 },
  '100': { message: 'File is missing', status: 500 },
  '101': { message: 'Record is missing', status: 404 },
  '102': { message: 'Field is missing', status: 500 },
  '104': { message: 'Script is missing', status: 500 },
  '105': { message: 'Layout is missing', status: 500 },
  '112': { message: 'Window is missing', status: 500 },
  '212': { message: 'Invalid user account or password', status: 401 },
  '214': { message: 'Too many login attempts', status: 401 },
  '301': { message: 'Record is in use by another user', status: 500 },
  '306': { message: 'Record modification ID does not match', status: 500 },
  '400': { message: 'Find criteria are empty', status: 400 },
  '401': { message: 'No records match the request', status: 500 },
  '502': { message: 'Value is not a number', status: 500 },
  '504': { message: 'Value in field is not unique', status: 500 },
  '509': { message: 'Field requires a value', status: 500 },
  '802': { message: 'Unable to open file', status: 500 },
  '812': { message: "Exceeded host's capacity", status: 500 },
  '820': { message: 'File is closing', status: 500 },
  '952': { message: 'Invalid FileMaker Data API token', status: 401 },
  '956': { message: 'Maximum number of Data API sessions exceeded', status: 500 },
  '958': { message: 'Parameter missing', status: 400 },
  '960': { message: 'Parameter is invalid', status: 400 },
  '1630': { message: 'Request URI is too long', status: 414 },
  '1700': { message: 'Resource does not exist', status: 404 },
  '1701': { message: 'Host is unable to receive requests', status: 503 },
  '1702': { message: 'Authentication information was not provided in the correct format', status: 401 },
  '1703': { message: 'Invalid user name, password or JWT', status: 401 },
  '1704': { message: 'Resource does not support the specified HTTP verb', status: 405 },
  '1705': { message: 'Required HTTP header was not specified or is not supported', status: 415 },
  '1708': { message: 'Parameter value is invalid', status: 400 },
  '1710': { message: 'Request body is not valid JSON', status: 400 },
};

/** A FileMaker code on its way to the caller, as the API's own code or as a script's `scriptError`. */
export class FileMakerError extends Error {
  readonly code: string;

  constructor(code: string | number, detail?: string) {
    super(detail === undefined ? describeCode(code) : `${describeCode(code)} (${detail})`);
    this.name = 'FileMakerError';
    this.code = String(code);
  }
}

export function describeCode(code: string | number): string {
  return KNOWN_CODES[String(code)]?.message ?? 'FileMaker error';
}

/** The HTTP status of an API answer: general rule 500 for FileMaker errors (Claris: Data API guide, error responses). */
export function statusOfCode(code: string, overrides: Readonly<Record<string, number>>): number {
  return overrides[code] ?? KNOWN_CODES[code]?.status ?? 500;
}
