// Whether a text names a customer: pure, since what is forgotten must be neither too little nor somebody else's.

/** What may stand before an address and still belong to it. */
const BEFORE_ADDRESS = '(?<![\\p{L}\\p{N}_%+-])(?<![\\p{L}\\p{N}_%+-]\\.)';
/**
 * What may stand behind an address without making it a longer one: `ann@x.com.` ends a sentence, `ann@x.com.au` and
 * `ann@x.co-op.com` are somebody else's.
 */
const BEHIND_ADDRESS = '(?![\\p{L}\\p{N}]|\\.[\\p{L}\\p{N}]|-[\\p{L}\\p{N}.-]*\\.[\\p{L}\\p{N}])';
const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** Matches a customer's address or id as a whole token, in any case of letters. */
function tokenOf(customer: string): RegExp {
  const body = literally(customer);
  return customer.includes('@')
    ? new RegExp(`${BEFORE_ADDRESS}${body}${BEHIND_ADDRESS}`, 'iu')
    : new RegExp(`(?<![A-Za-z0-9_])${body}(?![A-Za-z0-9_])`, 'iu');
}

/** Whether this text has the customer's address, or an id, in it: as a whole, never as a part of a longer one. */
export const mentions = (text: string, customer: string): boolean => tokenOf(customer).test(text);

/** Every string of a JSON document, keys too, with the path of keys that leads to it. What is no JSON is one string. */
function stringsIn(document: string): { text: string; path: readonly string[] }[] {
  const found: { text: string; path: readonly string[] }[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    if (typeof value === 'string') found.push({ text: value, path });
    else if (Array.isArray(value)) for (const part of value) visit(part, path);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, part] of Object.entries(value)) {
        found.push({ text: key, path });
        visit(part, [...path, key]);
      }
    }
  };
  try {
    visit(JSON.parse(document), []);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    found.push({ text: document, path: [] });
  }
  return found;
}

/** The same for a stored document: its strings as they are meant, whatever JSON writes for a line's end or an umlaut. */
export const documentMentions = (document: string, customer: string): boolean => {
  const token = tokenOf(customer);
  return stringsIn(document).some(({ text }) => token.test(text));
};

/** A piece of the customer's address or id that JSON always writes as it is: for a first, wide look through a table. */
export const plainPieceOf = (customer: string): string =>
  (customer.toLowerCase().match(/[a-z0-9@._+-]+/g) ?? []).reduce(
    (longest, piece) => (piece.length > longest.length ? piece : longest),
    '',
  );

/** Where Stripe and our payloads keep a buyer, and what of it names a person. */
const PERSON = /^(customer_details|billing_details|shipping_details|shipping|collected_information)$/;
const NAMES = /^(name|individual_name|business_name|phone|email|line1)$/;
const OWN_NAMES = /^(customer_name|customer_email|receipt_email|email)$/;
/** Shorter parts of a name are in every sentence. */
const WORD_LETTERS_MIN = 3;

const wordsOf = (text: string): string[] =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => [...word].length >= WORD_LETTERS_MIN);

/**
 * The words that name the buyer in a stored document, in small letters: of names, addresses and telephone numbers. Empty where
 * it says nothing of a buyer.
 */
export function personWordsIn(document: string): string[] {
  return stringsIn(document).flatMap(({ text, path }) => {
    const key = path.at(-1) ?? '';
    const names = (path.some((part) => PERSON.test(part)) && NAMES.test(key)) || OWN_NAMES.test(key);
    return names ? wordsOf(text) : [];
  });
}

/** Whether a text has one of these words in it, each as a whole. */
export function hasWordOf(text: string, words: ReadonlySet<string>): boolean {
  return wordsOf(text).some((word) => words.has(word));
}
