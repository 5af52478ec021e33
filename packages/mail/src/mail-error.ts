/** How far a letter got. `unheard`: its bytes were on their way and no answer came; it may have arrived. */
export type MailStage = 'not-sent' | 'refused' | 'unheard';

/** Stable. What each means for the letter its error says: see `stage` and `again`. */
export type MailErrorCode =
  | 'MAIL_SERVER_AWAY'
  | 'MAIL_TLS'
  | 'MAIL_LOGIN_REFUSED'
  | 'MAIL_REFUSED'
  | 'MAIL_BUSY'
  | 'MAIL_UNHEARD'
  | 'MAIL_CLOSED';

/**
 * A letter that was not delivered, or of which nobody knows. The message holds neither the password nor an address nor
 * a word of the letter: only the server's numbers.
 */
export class MailError extends Error {
  constructor(
    readonly code: MailErrorCode,
    readonly stage: MailStage,
    /** Whether sending the same letter again may help. False for `unheard`: it might arrive twice. */
    readonly again: boolean,
    message: string,
  ) {
    super(message);
    this.name = 'MailError';
  }
}

const field = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;

/** `550 5.7.1`: the reply's number and, where the server gave one, its enhanced status; never its text. */
function numbersOf(error: unknown): string {
  const reply = field(error, 'responseCode');
  const text = field(error, 'response');
  const enhanced = typeof text === 'string' ? /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(text)?.[1] : undefined;
  return [typeof reply === 'number' ? String(reply) : undefined, enhanced].filter(Boolean).join(' ');
}

const TLS_CODES = new Set(['ETLS', 'EREQUIRETLS', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT']);

/** What nodemailer threw, in our words. `begun`: at least one byte of the letter had gone to the server. */
export function toMailError(error: unknown, begun: boolean): MailError {
  const code = field(error, 'code');
  const reply = field(error, 'responseCode');
  const numbers = numbersOf(error);
  const told = numbers === '' ? '' : ` (${numbers})`;
  // A reply settles it, also one that came after the letter: the server has said that it does not take it.
  if (typeof reply === 'number' && reply >= 400) {
    // 421 and 503 speak of the connection, 4xx of now; the same letter may be taken later.
    const again = reply < 500 || reply === 503;
    if (code === 'EAUTH' || code === 'EOAUTH2')
      return new MailError(
        'MAIL_LOGIN_REFUSED',
        'refused',
        again,
        `The mail server refused the login in SMTP_URL${told}`,
      );
    return again
      ? new MailError('MAIL_BUSY', 'refused', true, `The mail server does not take it now${told}`)
      : new MailError('MAIL_REFUSED', 'refused', false, `The mail server refused the letter${told}`);
  }
  if (begun) {
    return new MailError('MAIL_UNHEARD', 'unheard', false, 'The letter was sent and the mail server never answered');
  }
  if (code === 'EAUTH' || code === 'EOAUTH2' || code === 'ENOAUTH')
    return new MailError('MAIL_LOGIN_REFUSED', 'refused', false, 'The mail server refused the login in SMTP_URL');
  if (code === 'EENVELOPE' || code === 'EMESSAGE')
    return new MailError('MAIL_REFUSED', 'refused', false, 'The letter has no address that can be sent to');
  const inner = field(error, 'originalCode');
  if ([code, inner].some((one) => typeof one === 'string' && TLS_CODES.has(one)))
    return new MailError('MAIL_TLS', 'not-sent', true, 'No safe connection to the mail server could be made (TLS)');
  const because = [inner, code].find((one) => typeof one === 'string');
  return new MailError(
    'MAIL_SERVER_AWAY',
    'not-sent',
    true,
    `The mail server does not answer${because === undefined ? '' : ` (${because})`}`,
  );
}
