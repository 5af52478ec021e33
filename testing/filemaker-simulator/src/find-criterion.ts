import type { FieldType } from './table';

/** Says whether one field's text meets one criterion. `isDuplicate` answers the `!` operator. */
export type Criterion = (value: string, isDuplicate: boolean) => boolean;

export interface CriterionContext {
  readonly type: FieldType;
  readonly ignoreCase: boolean;
  /** Today as YYYY-MM-DD, for `//`. */
  readonly today: string;
}

const WORD_START = '(?<![\\p{L}\\p{N}_])';
const WORD_END = '(?![\\p{L}\\p{N}_])';

/**
 * Reads one criterion in FileMaker's find language (Claris: Go help, find-operators): `==` whole field, `=` whole word
 * or empty, `< <= > >=`, `a...b`, `!` duplicates, `//` today, `?` invalid value, `@` one character, `#` one digit,
 * `*` any characters, `"…"` literal text, `~` relaxed, `\` takes the next character literally. Without an operator
 * every word must begin a word of the field.
 */
export function parseCriterion(text: string, context: CriterionContext): Criterion {
  const trimmed = text.trimStart().replace(/(?<!\\)\s+$/u, '');
  if (trimmed === '=') return (value) => value === '';
  if (trimmed === '*') return (value) => value !== '';
  if (trimmed === '!') return (value, isDuplicate) => value !== '' && isDuplicate;
  if (trimmed === '?') return (value) => value !== '' && !isValid(value, context.type);
  if (trimmed === '//') return (value) => value.startsWith(context.today);
  if (trimmed.startsWith('==')) return wholeField(trimmed.slice(2), context);
  const range = splitRange(trimmed);
  if (range !== undefined) {
    const [low, high] = range;
    return (value) => value !== '' && compareTyped(value, low, context) >= 0 && compareTyped(value, high, context) <= 0;
  }
  const comparison = /^(<=|>=|≤|≥|<|>)(.*)$/su.exec(trimmed);
  if (comparison !== null) return compared(comparison[1] ?? '', unescapeCriterion(comparison[2] ?? ''), context);
  if (trimmed.startsWith('=')) return words(trimmed.slice(1), context, true);
  if (trimmed.startsWith('~')) return words(trimmed.slice(1), { ...context, ignoreCase: true }, false);
  return words(trimmed, context, false);
}

/** Removes the backslashes that made operators literal. */
function unescapeCriterion(text: string): string {
  return text.trim().replace(/\\(.)/gsu, '$1');
}

/** Orders two values as the field's type does: numbers by size, all else as text. Returns below, at or above 0. */
export function compareTyped(
  left: string,
  right: string,
  context: Pick<CriterionContext, 'type' | 'ignoreCase'>,
): number {
  if (context.type === 'number') {
    const difference = Number(left) - Number(right);
    return Number.isNaN(difference) ? Number.NaN : difference;
  }
  const [a, b] = context.ignoreCase ? [left.toLowerCase(), right.toLowerCase()] : [left, right];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The text that a whole field has to hold, in lower case; undefined: the criterion says something else. */
export function wholeFieldText(text: string, context: CriterionContext): string | undefined {
  const trimmed = text.trimStart().replace(/(?<!\\)\s+$/u, '');
  if (!trimmed.startsWith('==') || context.type === 'number') return undefined;
  const pattern = trimmed.slice(2);
  if (pattern === '' || hasWildcard(pattern)) return undefined;
  return pattern.replace(/\\(.)/gsu, '$1').toLowerCase();
}

const hasWildcard = (pattern: string): boolean => /(^|[^\\])(\\\\)*[@#*"]/su.test(pattern);

function wholeField(pattern: string, context: CriterionContext): Criterion {
  if (pattern === '') return (value) => value === '';
  if (context.type === 'number' && /^-?\d+(\.\d+)?$/.test(pattern)) {
    return (value) => value !== '' && Number(value) === Number(pattern);
  }
  if (!hasWildcard(pattern)) {
    const wanted = folded(pattern.replace(/\\(.)/gsu, '$1'), context);
    return (value) => folded(value, context) === wanted;
  }
  const expression = toRegExp(`^${patternSource(pattern)}$`, context);
  return (value) => expression.test(value);
}

function folded(text: string, context: CriterionContext): string {
  return context.ignoreCase ? text.toLowerCase() : text;
}

function words(pattern: string, context: CriterionContext, whole: boolean): Criterion {
  if (context.type === 'number' && /^-?\d+(\.\d+)?$/.test(pattern)) {
    return (value) => value !== '' && Number(value) === Number(pattern);
  }
  const expressions = splitWords(pattern).map((word) => {
    const anywhere = word.startsWith('*');
    return toRegExp(`${anywhere ? '' : WORD_START}${patternSource(word)}${whole ? WORD_END : ''}`, context);
  });
  return (value) => expressions.length > 0 && expressions.every((expression) => expression.test(value));
}

function compared(operator: string, bound: string, context: CriterionContext): Criterion {
  return (value) => {
    if (value === '') return false;
    const order = compareTyped(value, bound, context);
    if (operator === '<') return order < 0;
    if (operator === '>') return order > 0;
    return operator === '<=' || operator === '≤' ? order <= 0 : order >= 0;
  };
}

/** Cuts at unescaped spaces outside of quotes. */
function splitWords(pattern: string): string[] {
  return pattern.match(/(?:\\.|\*?"(?:\\.|[^"\\])*"|[^\s\\"]|["\\])+/gsu) ?? [];
}

function splitRange(pattern: string): [string, string] | undefined {
  const match = /^((?:\\.|[^\\.])+(?:\.\d+)?)(?:\.\.\.?|…)((?:\\.|[^\\])+)$/su.exec(pattern);
  if (match === null) return undefined;
  return [unescapeCriterion(match[1] ?? ''), unescapeCriterion(match[2] ?? '')];
}

/** The wildcards and escapes of one word as a regular expression. */
function patternSource(pattern: string): string {
  return pattern.replace(/\\(.)|"((?:\\.|[^"\\])*)"|([@#*])|(.)/gsu, (_all, escaped, quoted, wildcard, plain) => {
    if (escaped !== undefined) return literal(escaped);
    if (quoted !== undefined) return literal(unescapeQuoted(quoted));
    if (wildcard === '@') return '[\\s\\S]';
    if (wildcard === '#') return '\\d';
    if (wildcard === '*') return '[\\s\\S]*';
    return literal(plain);
  });
}

function unescapeQuoted(text: string): string {
  return text.replace(/\\(.)/gsu, '$1');
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function toRegExp(source: string, context: CriterionContext): RegExp {
  return new RegExp(source, context.ignoreCase ? 'iu' : 'u');
}

function isValid(value: string, type: FieldType): boolean {
  if (type === 'number') return /\d/.test(value);
  if (type === 'timestamp') return !Number.isNaN(Date.parse(value));
  return true;
}
