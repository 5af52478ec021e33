// Whether a text names a customer: pure, since what is forgotten must be neither too little nor somebody else's.
// Texts may be large and hostile: every step here takes time in proportion to the text.

const LETTER = '[\\p{L}\\p{M}\\p{N}]';
/** Longer parts of an address are no address; so each look around one ends. */
const LOCAL_MAX = 64;
const DOMAIN_MAX = 253;
/**
 * What stands before an address that is only the end of a longer one: a letter, or signs that join it to a letter. `jo-ann@x.com`
 * is somebody else's; `-ann@x.com` is a list, `_ann@x.com_` and `...ann@x.com` are sentences.
 */
const LONGER_BEFORE = new RegExp(`(?:${LETTER}|${LETTER}[._%+-]{1,${LOCAL_MAX}})$`, 'u');
/**
 * What may stand behind an address without making it a longer one: `ann@x.com.` ends a sentence, `ann@x.com.au` and
 * `ann@x.co-op.com` are somebody else's.
 */
const BEHIND_ADDRESS = `(?!${LETTER}|\\.${LETTER}|-[\\p{L}\\p{M}\\p{N}.-]{0,${DOMAIN_MAX}}\\.${LETTER})`;
const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** A text may be encoded again and again. */
const DECODINGS_MAX = 3;
const decoded = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString('utf8'));

/** The text as it is, and what is meant where it is percent-encoded. An umlaut is one letter in all of them. */
function readingsOf(text: string): string[] {
  const readings = [text.normalize('NFC')];
  let last = text;
  for (let times = 0; times < DECODINGS_MAX; times += 1) {
    const next = decoded(last);
    if (next === last) break;
    readings.push(next.normalize('NFC'));
    last = next;
  }
  return readings;
}

/** Tells of a text whether it has a customer's address or id in it as a whole, in any case of letters. */
function finderOf(customer: string): (text: string) => boolean {
  const body = literally(customer.normalize('NFC'));
  if (!customer.includes('@')) {
    const id = new RegExp(`(?<![A-Za-z0-9_])${body}(?![A-Za-z0-9_])`, 'iu');
    return (text) => readingsOf(text).some((reading) => id.test(reading));
  }
  // What stands before is looked at only where the address is: a long row of signs must not be read from each of its places.
  const address = new RegExp(`${body}${BEHIND_ADDRESS}`, 'giu');
  return (text) =>
    readingsOf(text).some((reading) => {
      for (const { index } of reading.matchAll(address))
        if (!LONGER_BEFORE.test(reading.slice(Math.max(0, index - LOCAL_MAX - 2), index))) return true;
      return false;
    });
}

/** Whether this text has the customer's address, or an id, in it: as a whole, never as a part of a longer one. */
export const mentions = (text: string, customer: string): boolean => finderOf(customer)(text);

/** JSON inside a string of JSON, as scripts answer it. Deeper it is left as the text that it is. */
const NESTED_MAX = 5;
const LOOKS_LIKE_JSON = /^\s*[[{"]/;

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

interface FoundText {
  text: string;
  /** The key that it stands at; empty at the top. */
  key: string;
  /** Somewhere above it is a key under which Stripe or we keep a buyer. */
  ofPerson: boolean;
}

/** Every string of a JSON document, keys and JSON in strings too. What is no JSON is one string. */
function stringsIn(document: string): FoundText[] {
  const top = parsed(document);
  if (top === undefined) return [{ text: document, key: '', ofPerson: false }];
  const found: FoundText[] = [];
  // A list and no recursion: a hostile document is deeper than the stack.
  const open: { value: unknown; key: string; ofPerson: boolean; nested: number }[] = [
    { value: top.value, key: '', ofPerson: false, nested: 0 },
  ];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { value, key, ofPerson, nested } = at;
    if (typeof value === 'string') {
      found.push({ text: value, key, ofPerson });
      const inner = nested < NESTED_MAX && LOOKS_LIKE_JSON.test(value) ? parsed(value) : undefined;
      if (inner !== undefined) open.push({ ...at, value: inner.value, nested: nested + 1 });
    } else if (Array.isArray(value)) for (const part of value) open.push({ ...at, value: part });
    else if (typeof value === 'object' && value !== null) {
      for (const [name, part] of Object.entries(value)) {
        found.push({ text: name, key, ofPerson });
        open.push({ value: part, key: name, ofPerson: ofPerson || PERSON.test(name), nested });
      }
    }
  }
  return found;
}

/** The same for a stored document: its strings as they are meant, whatever JSON writes for a line's end or an umlaut. */
export const documentMentions = (document: string, customer: string): boolean => {
  const isIn = finderOf(customer);
  return stringsIn(document).some(({ text }) => isIn(text));
};

/**
 * A piece of the customer's address or id that is written the same in JSON, percent-encoded, and however an umlaut is composed:
 * for a first, wide look through a table. Letters and digits of ASCII, so far as there are any.
 */
export function plainPieceOf(customer: string): string {
  const pieces = customer.normalize('NFC').match(/[A-Za-z0-9]+/g) ?? [];
  const longest = pieces.reduce((best, piece) => (piece.length > best.length ? piece : best), '');
  return longest === '' && customer.includes('.') ? '.' : longest.toLowerCase();
}

/** Where Stripe and our payloads keep a buyer, and what of it names a person. */
const PERSON = /^(customer_details|billing_details|shipping_details|shipping|collected_information)$/;
const NAMES = /^(name|individual_name|business_name|customer_name)$/;
const CONTACTS = /^(phone|email|line1)$/;
const OWN_NAMES = /^(customer_name|customer_email|receipt_email|email)$/;

/** A word that names a buyer, in small letters and without accents. */
export interface PersonWord {
  word: string;
  /** `contact`: of an e-mail address, a street or a telephone number. */
  of: 'name' | 'contact';
}

/** People type names without accents, and keyboards compose them in several ways. */
const plain = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').normalize('NFC').toLowerCase();
const wordsOf = (text: string): string[] => plain(text).match(/[\p{L}\p{N}]+/gu) ?? [];

/**
 * The words that name the buyer in a stored document: of names, addresses and telephone numbers. Empty where it says nothing of
 * a buyer.
 */
export function personWordsIn(document: string): PersonWord[] {
  return stringsIn(document).flatMap(({ text, key, ofPerson }) => {
    if (!((ofPerson && (NAMES.test(key) || CONTACTS.test(key))) || OWN_NAMES.test(key))) return [];
    const of = NAMES.test(key) ? 'name' : 'contact';
    // `com` names nobody, and is in every second sentence.
    return wordsOf(text.includes('@') ? text.replace(/\.[^.@]*$/, '') : text).map((word) => ({ word, of }));
  });
}

/** Shorter words are inside of others everywhere. */
const WORD_LETTERS_MIN = 3;
/** Scripts whose words are not parted by spaces, or whose names are of one or two letters: a part of a name is a single letter. */
const CLOSE_SCRIPT =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Bopomofo}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]/u;

/**
 * Whether a text may name this person: it has one of the words anywhere in it (`Schmidts`), or cannot be told since a name has a
 * word too short to look for (`Li`). Errs towards yes.
 */
export function mayName(text: string, words: readonly PersonWord[]): boolean {
  const told = plain(text);
  const whole = new Set(wordsOf(text));
  return words.some(({ word, of }) => {
    const letters = [...word];
    if (letters.some((letter) => CLOSE_SCRIPT.test(letter) && told.includes(letter))) return true;
    if (letters.every((letter) => CLOSE_SCRIPT.test(letter))) return false;
    if (letters.length >= WORD_LETTERS_MIN) return told.includes(word);
    return of === 'name' || whole.has(word);
  });
}
