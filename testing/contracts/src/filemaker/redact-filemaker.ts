import type { Answer } from '../contract-case';
import type { Variables } from '../placeholders';
import type { Pseudonyms } from '../redaction';
import { isObject } from '../wants';

/** Headers that say something about the server and nothing about anybody. */
const HEADERS = ['content-type', 'content-length', 'server', 'connection', 'transfer-encoding'];
const TOKEN_HEADER = 'x-fm-data-access-token';
/** Texts under these names are the API's own words. */
const PLAIN = ['code', 'recordId', 'modId', 'version', 'buildDate', 'dateFormat', 'timeFormat', 'timeStampFormat'];
const KIT_RESULT = ['v', 'ok', 'code', 'ran', 'duplicate', 'key'];

/**
 * Keeps of an answer what the suite knows to be harmless: structure, codes, counts, its own records. Tokens, names of
 * files, layouts and scripts, and whatever else stands in a text get stand-ins; fields of others are left out.
 */
export function redactFileMaker(answer: Answer, pseudonyms: Pseudonyms, variables: Variables): Answer {
  const { headers, json, text } = answer;
  const token = headers[TOKEN_HEADER];
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => HEADERS.includes(name)));
  return {
    ...answer,
    headers: token === undefined ? kept : { ...kept, [TOKEN_HEADER]: pseudonyms.of('token', token) },
    json: json === undefined ? undefined : new Redaction(pseudonyms, variables).value('', json),
    text: text === '' ? '' : `(${headers['content-type'] ?? 'no type'}, ${text.length} characters)`,
  };
}

class Redaction {
  readonly #run: string;
  /** Names that the operator gave, the longest first; they may stand inside of a message. */
  readonly #given: readonly string[];
  readonly #ownFields: readonly string[];

  constructor(
    private readonly pseudonyms: Pseudonyms,
    variables: Variables,
  ) {
    const { run, keyField, textField, numberField, invoiceField } = variables;
    this.#run = String(run);
    this.#given = Object.entries(variables)
      .flatMap(([name, value]) => (name !== 'run' && typeof value === 'string' && value.length > 3 ? [value] : []))
      .sort((a, b) => b.length - a.length);
    this.#ownFields = [keyField, textField, numberField, invoiceField].filter((name) => typeof name === 'string');
  }

  value(name: string, value: unknown): unknown {
    if (name === 'data' && Array.isArray(value)) return value.map((row) => this.#row(row));
    if (name === 'fieldMetaData' && Array.isArray(value)) return value.flatMap((field) => this.#ownField(field));
    if (name === 'portalMetaData' || name === 'portalData') return {};
    if (name === 'token' && typeof value === 'string') return this.pseudonyms.of('token', value);
    if (name.startsWith('scriptResult') && typeof value === 'string') return this.#scriptResult(value);
    if (Array.isArray(value)) return value.map((item) => this.value('', item));
    if (isObject(value))
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.value(key, inner)]));
    return typeof value === 'string' ? this.#text(name, value) : value;
  }

  #text(name: string, value: string): string {
    const known = this.pseudonyms.find(value);
    if (known !== undefined) return known;
    if (name === 'message')
      return this.#given.reduce((text, given) => text.replaceAll(given, this.pseudonyms.of('name', given)), value);
    if (PLAIN.includes(name) || name.startsWith('scriptError') || value === '') return value;
    if (value.startsWith(this.#run)) return value;
    return this.pseudonyms.of(name === 'name' ? 'name' : 'text', value);
  }

  /** A record of the suite's own keeps the fields that the suite wrote; of any other only their names' stand-ins. */
  #row(row: unknown): unknown {
    if (!isObject(row) || !isObject(row.fieldData)) return null;
    const own = Object.values(row.fieldData).some((value) => typeof value === 'string' && value.startsWith(this.#run));
    const fields = Object.entries(row.fieldData).filter(([name]) => this.#ownFields.includes(name));
    const shown = fields.map(([name, value]) => [this.pseudonyms.of('name', name), own ? value : this.#hidden(value)]);
    return { fieldData: Object.fromEntries(shown), portalData: {}, recordId: row.recordId, modId: row.modId };
  }

  #hidden(value: unknown): unknown {
    return typeof value === 'number' ? 0 : this.pseudonyms.of('text', String(value));
  }

  #ownField(field: unknown): unknown[] {
    if (!isObject(field) || typeof field.name !== 'string' || !this.#ownFields.includes(field.name)) return [];
    return [{ ...field, name: this.pseudonyms.of('name', field.name) }];
  }

  /** Of the kit's result the fields that the contract names; any other text becomes a stand-in. */
  #scriptResult(value: string): string {
    if (value === '' || !value.startsWith('{')) return value === '' ? '' : this.pseudonyms.of('result', value);
    const result: unknown = parsed(value);
    if (!isObject(result)) return this.pseudonyms.of('result', value);
    const kept = Object.entries(result).filter(
      ([name, inner]) => KIT_RESULT.includes(name) && (name !== 'key' || String(inner).startsWith(this.#run)),
    );
    return JSON.stringify(Object.fromEntries(kept));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
