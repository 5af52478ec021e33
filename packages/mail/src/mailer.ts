import { channel } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { createTransport } from 'nodemailer';
import { MailError, toMailError } from './mail-error';

/** One mail server, one sender. */
export interface MailerOptions {
  /** `smtp://user:password@host:port`, or `smtps:` for TLS from the first byte. Secret. */
  smtpUrl: string;
  /** The sender's address, with or without a name. */
  from: string;
  /** Longest a letter may take, from the connection to the answer. Default 30,000. */
  timeoutMs?: number;
}

/** One letter to all its addresses together. */
export interface Letter {
  /** Addresses; at least one. */
  to: readonly string[];
  subject: string;
  text: string;
  html?: string;
  /** Left of the `@` in its Message-ID: the same letter is the same id, so that a mail program can tell. */
  id?: string;
}

/** The server has taken the letter. */
export interface Sent {
  messageId: string;
  /** How many of the addresses it takes it for; the others it refused by name. */
  accepted: number;
  rejected: number;
}

/** Sends letters, each at most once. */
export interface Mailer {
  /** One letter over a connection of its own. Rejects with MailError. */
  send(letter: Letter): Promise<Sent>;
  /** Takes no letter any more and cuts what is under way. */
  close(): void;
}

const TIMEOUT_MS = 30_000;
/** See docs/decisions/0012-crash-points.md. */
const calls = channel('bridge:outside-call');

/** The domain of the sender: what a Message-ID ends in. */
const domainOf = (address: string): string => /@([A-Za-z0-9.-]+)>?\s*$/.exec(address)?.[1] ?? 'bridge.invalid';

/**
 * Sends letters over SMTP. TLS as nodemailer does it: `smtps:` at once, `smtp:` as soon as the server offers it, and
 * certificates are checked. Each letter gets a connection of its own; there are a few a day.
 */
export function createMailer(options: MailerOptions): Mailer {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const closing = new AbortController();

  async function send(letter: Letter): Promise<Sent> {
    if (closing.signal.aborted) throw new MailError('MAIL_CLOSED', 'not-sent', true, 'The mailer is closed');
    let begun = false;
    const transport = createTransport({
      url: options.smtpUrl,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Nothing in a letter of ours names a file or an address to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    // The letter is read only when the server has said that it may come: its first byte is the moment after which
    // nobody can tell without an answer whether it arrived.
    transport.use('stream', (mail, done) => {
      const { message } = mail;
      const compose = message.createReadStream.bind(message);
      message.createReadStream = (rest) => {
        async function* bytes(): AsyncGenerator<Buffer> {
          if (!begun) calls.publish({ at: 'before-first-byte', label: 'mail' });
          begun = true;
          for await (const chunk of compose(rest)) yield Buffer.from(chunk as Buffer);
        }
        return Readable.from(bytes(), { objectMode: false }) as ReturnType<typeof compose>;
      };
      done();
    });
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const sent = await transport.sendMail({
        from: options.from,
        to: [...letter.to],
        subject: letter.subject,
        text: letter.text,
        ...(letter.html === undefined ? {} : { html: letter.html }),
        ...(letter.id === undefined ? {} : { messageId: `<${letter.id}@${domainOf(options.from)}>` }),
        signal: AbortSignal.any([late, closing.signal]),
      });
      calls.publish({ at: 'after-answer', label: 'mail' });
      return { messageId: sent.messageId, accepted: sent.accepted.length, rejected: sent.rejected.length };
    } catch (error) {
      if (!begun && closing.signal.aborted)
        throw new MailError('MAIL_CLOSED', 'not-sent', true, 'The mailer was closed before the letter could be sent');
      throw toMailError(error, begun);
    } finally {
      transport.close();
    }
  }

  return { send, close: () => closing.abort() };
}
