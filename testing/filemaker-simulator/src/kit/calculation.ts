import { createHash } from 'node:crypto';

/** What a FileMaker calculation comes to here: text or a number. Booleans are 1 and 0. */
export type Value = string | number;

/** What a calculation may look at. Names are as written in the listing. */
export interface CalculationContext {
  variable(name: string): Value;
  field(table: string, field: string): Value;
  /** `Get ( Name )`. */
  get(name: string): Value;
  /** `SELECT what FROM table WHERE field = ?`; `?` when FileMaker would say so. Rows are separated by `¶`. */
  select(what: string, table: string, field: string, value: string): string;
}

type Node =
  | { kind: 'value'; value: Value }
  | { kind: 'variable'; name: string }
  | { kind: 'field'; table: string; field: string }
  | { kind: 'call'; name: string; args: Node[] }
  | { kind: 'group'; items: Node[] }
  | { kind: 'not'; of: Node }
  | { kind: 'binary'; operator: string; left: Node; right: Node };

const TOKEN =
  /\s*(?:(?<text>"(?:[^"\\]|\\.)*")|(?<number>\d+)|(?<variable>\$[A-Za-z]+)|(?<field>[A-Za-z_]+::[A-Za-z_]+)|(?<word>[A-Za-z]+)|(?<mark>[=≠<>≤≥+\-&();[\]]))/uy;
const JSON_TYPES: Readonly<Record<string, number>> = {
  JSONString: 1,
  JSONNumber: 2,
  JSONObject: 3,
  JSONArray: 4,
  JSONBoolean: 5,
  JSONNull: 6,
};
/** Loosest first. */
const LEVELS: readonly (readonly string[])[] = [['or'], ['and'], ['=', '≠', '<', '>', '≤', '≥'], ['&'], ['+', '-']];

interface Token {
  kind: 'text' | 'number' | 'variable' | 'field' | 'word' | 'mark';
  text: string;
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (source.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(source)?.groups;
    const [kind, text] = Object.entries(groups ?? {}).find(([, one]) => one !== undefined) ?? [];
    if (kind === undefined || text === undefined) throw new Error(`not understood: ${source.slice(at)}`);
    found.push({ kind: kind as Token['kind'], text });
  }
  return found;
}

class Parser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokens(source);
  }

  whole(): Node {
    const node = this.#level(0);
    if (this.#at < this.#tokens.length) throw new Error(`too much: ${this.#tokens[this.#at]?.text}`);
    return node;
  }

  #level(depth: number): Node {
    const operators = LEVELS[depth];
    if (operators === undefined) return this.#single();
    let left = this.#level(depth + 1);
    for (;;) {
      const operator = this.#tokens[this.#at];
      if (operator === undefined || operator.kind === 'text' || !operators.includes(operator.text)) return left;
      this.#at += 1;
      left = { kind: 'binary', operator: operator.text, left, right: this.#level(depth + 1) };
    }
  }

  #single(): Node {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    if (token === undefined) throw new Error('something is missing at the end');
    if (token.kind === 'number') return { kind: 'value', value: Number(token.text) };
    if (token.kind === 'text') return { kind: 'value', value: token.text.slice(1, -1).replace(/\\(.)/gu, '$1') };
    if (token.kind === 'variable') return { kind: 'variable', name: token.text };
    if (token.kind === 'field') {
      const [table = '', field = ''] = token.text.split('::');
      return { kind: 'field', table, field };
    }
    if (token.text === 'not') return { kind: 'not', of: this.#level(2) };
    if (token.text === '(') return this.#closed(this.#level(0), ')');
    if (token.text === '[') return { kind: 'group', items: this.#list(']') };
    if (token.kind !== 'word') throw new Error(`unexpected ${token.text}`);
    if (this.#tokens[this.#at]?.text !== '(') return this.#constant(token.text);
    this.#at += 1;
    return { kind: 'call', name: token.text, args: this.#list(')') };
  }

  #constant(word: string): Node {
    if (word === 'True') return { kind: 'value', value: 1 };
    if (word === 'False') return { kind: 'value', value: 0 };
    const type = JSON_TYPES[word];
    // What stands in Get ( … ) is a name.
    return type === undefined ? { kind: 'value', value: word } : { kind: 'value', value: type };
  }

  #closed(node: Node, mark: string): Node {
    if (this.#tokens[this.#at]?.text !== mark) throw new Error(`${mark} is missing`);
    this.#at += 1;
    return node;
  }

  #list(end: string): Node[] {
    const items = [this.#level(0)];
    while (this.#tokens[this.#at]?.text === ';') {
      this.#at += 1;
      items.push(this.#level(0));
    }
    this.#closed({ kind: 'value', value: 0 }, end);
    return items;
  }
}

const text = (value: Value): string => String(value);
/** FileMaker takes the digits out of a text. */
const number = (value: Value): number => (typeof value === 'number' ? value : Number(value.replace(/[^0-9.-]/gu, '')));
const truth = (value: Value): boolean => number(value) !== 0;
const isNumber = (value: Value): boolean => typeof value === 'number' || /^-?\d+(\.\d+)?$/u.test(value);

function compared(left: Value, right: Value): number {
  if (isNumber(left) && isNumber(right)) return number(left) - number(right);
  // Text is compared without regard to case, unless with Exact.
  return text(left).toLowerCase().localeCompare(text(right).toLowerCase());
}

function parsed(json: Value): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text(json)) };
  } catch {
    return { ok: false };
  }
}

const NOT_JSON = '? * Line 1, Column 1';

function shown(value: unknown): Value {
  if (value === undefined || value === null) return '';
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'number' || typeof value === 'string') return value;
  return JSON.stringify(value);
}

function jsonAt(json: Value, path: string): unknown {
  const read = parsed(json);
  if (!read.ok) return NOT_JSON;
  const keys = path.split(/[.[\]]+/u).filter((key) => key !== '');
  return keys.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    read.value,
  );
}

function typed(value: Value, type: number): unknown {
  if (type === JSON_TYPES.JSONString) return text(value);
  if (type === JSON_TYPES.JSONNumber) return number(value);
  if (type === JSON_TYPES.JSONBoolean) return truth(value);
  if (type === JSON_TYPES.JSONNull) return null;
  const read = parsed(value);
  return read.ok ? read.value : text(value);
}

const parsedCalculations = new Map<string, Node>();

function nodeOf(source: string): Node {
  const known = parsedCalculations.get(source);
  if (known !== undefined) return known;
  const node = new Parser(source).whole();
  parsedCalculations.set(source, node);
  return node;
}

/** Evaluates one calculation of the kit's scripts. Throws for what the kit does not use. */
export function evaluate(source: string, context: CalculationContext): Value {
  const value = (node: Node): Value => {
    switch (node.kind) {
      case 'value':
        return node.value;
      case 'variable':
        return context.variable(node.name);
      case 'field':
        return context.field(node.table, node.field);
      case 'not':
        return truth(value(node.of)) ? 0 : 1;
      case 'binary':
        return binary(node.operator, node.left, node.right);
      case 'call':
        return call(node.name, node.args);
      case 'group':
        throw new Error('a group in brackets stands only in JSONSetElement');
    }
  };
  const binary = (operator: string, leftNode: Node, rightNode: Node): Value => {
    if (operator === 'and') return truth(value(leftNode)) && truth(value(rightNode)) ? 1 : 0;
    if (operator === 'or') return truth(value(leftNode)) || truth(value(rightNode)) ? 1 : 0;
    const [left, right] = [value(leftNode), value(rightNode)];
    if (operator === '&') return text(left) + text(right);
    if (operator === '+') return number(left) + number(right);
    if (operator === '-') return number(left) - number(right);
    const order = compared(left, right);
    const met = {
      '=': order === 0,
      '≠': order !== 0,
      '<': order < 0,
      '>': order > 0,
      '≤': order <= 0,
      '≥': order >= 0,
    }[operator];
    if (met === undefined) throw new Error(`no such operator: ${operator}`);
    return met ? 1 : 0;
  };
  const setElements = (args: Node[]): Value => {
    const [json, ...rest] = args;
    if (json === undefined) throw new Error('JSONSetElement without JSON');
    const read = parsed(value(json));
    if (!read.ok) return NOT_JSON;
    const object = { ...(read.value as Record<string, unknown>) };
    const changes = rest[0]?.kind === 'group' ? rest.map((node) => (node.kind === 'group' ? node.items : [])) : [rest];
    for (const [key, content, type] of changes) {
      if (key === undefined || content === undefined || type === undefined)
        throw new Error('JSONSetElement: key, value, type');
      object[text(value(key))] = typed(value(content), number(value(type)));
    }
    return JSON.stringify(object);
  };
  const call = (name: string, args: Node[]): Value => {
    const at = (index: number): Value => {
      const node = args[index];
      if (node === undefined) throw new Error(`${name} lacks argument ${index + 1}`);
      return value(node);
    };
    switch (name) {
      case 'Get':
        return context.get(text(at(0)));
      case 'If':
        return truth(at(0)) ? at(1) : at(2);
      case 'Exact':
        return text(at(0)) === text(at(1)) ? 1 : 0;
      case 'Left':
        return [...text(at(0))].slice(0, number(at(1))).join('');
      case 'Filter': {
        const kept = new Set(text(at(1)));
        return [...text(at(0))].filter((character) => kept.has(character)).join('');
      }
      case 'GetAsNumber':
        return number(at(0));
      case 'GetValue':
        return text(at(0)).split('¶')[number(at(1)) - 1] ?? '';
      case 'ValueCount':
        return text(at(0)) === '' ? 0 : text(at(0)).split('¶').length;
      case 'HexEncode':
        return Buffer.from(text(at(0)), 'latin1')
          .toString('hex')
          .toUpperCase();
      case 'CryptDigest':
        if (at(1) !== 'SHA256') throw new Error('only SHA256');
        return createHash('sha256')
          .update(text(at(0)))
          .digest()
          .toString('latin1');
      case 'JSONFormatElements': {
        const read = parsed(at(0));
        return read.ok ? JSON.stringify(read.value, null, 1) : NOT_JSON;
      }
      case 'JSONGetElement':
        return shown(jsonAt(at(0), text(at(1))));
      case 'JSONListKeys': {
        const found = jsonAt(at(0), text(at(1)));
        return typeof found === 'object' && found !== null ? Object.keys(found).join('¶') : '';
      }
      case 'JSONSetElement':
        return setElements(args);
      case 'ExecuteSQL': {
        const query = /^SELECT (COUNT\(\*\)|"\w+") FROM "(\w+)" WHERE "(\w+)" = \?$/u.exec(text(at(0)));
        if (query === null) return '?';
        const [, what = '', table = '', field = ''] = query;
        return context.select(what.replaceAll('"', ''), table, field, text(at(3)));
      }
      default:
        throw new Error(`no such function: ${name}`);
    }
  };
  return value(nodeOf(source));
}
