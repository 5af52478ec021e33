import { createFileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import { createStripeClient, StripeCallError } from '@bridge/stripe-client';

/** For `init`, where no database is there yet: the answers are shown to a person and kept nowhere. */
const CALL_MS = 10_000;

/** What Stripe said about a key. */
export type StripeSeen =
  /** `name` is null where the account has none. */
  | { kind: 'account'; id: string; name: string | null }
  /** A restricted key that works and may not read its account. */
  | { kind: 'untold' }
  | { kind: 'refused'; reason: string }
  | { kind: 'away'; reason: string };

const textAt = (value: unknown, ...path: string[]): string | null => {
  let here = value;
  for (const name of path) here = typeof here === 'object' && here !== null ? Reflect.get(here, name) : undefined;
  return typeof here === 'string' && here.trim() !== '' ? here : null;
};

/** Whose key it is. One read, bounded by ten seconds; never rejects for what Stripe says. */
export async function lookAtStripeAccount(options: { apiKey: string; apiBase?: string }): Promise<StripeSeen> {
  const stripe = createStripeClient({ ...options, timeoutMs: CALL_MS });
  try {
    const account = await stripe.retrieveAccount();
    const name =
      textAt(account, 'settings', 'dashboard', 'display_name') ?? textAt(account, 'business_profile', 'name');
    return { kind: 'account', id: account.id, name };
  } catch (error) {
    if (!(error instanceof StripeCallError)) throw error;
    if (error.code === 'STRIPE_KEY_REFUSED') return { kind: 'refused', reason: 'Stripe does not know this key.' };
    if (error.stage === 'refused' && error.action !== 'wait') return { kind: 'untold' };
    return { kind: 'away', reason: error.message };
  } finally {
    await stripe.close();
  }
}

/** What an account sees in its file, or at which step it failed; `reason` is a sentence for people. */
export type FileMakerSeen =
  | { kind: 'seen'; version: string | null; layouts: string[]; scripts: string[] }
  /** `login`: name, password or privilege; asking again with the same brings the account nearer to being locked. */
  | { kind: 'failed'; about: 'server' | 'login' | 'names'; reason: string };

/** What the account sees. One session, logged out again; at most five calls of ten seconds. */
export async function lookAtFileMakerFile(options: {
  url: string;
  database: string;
  username: string;
  password: string;
  ca?: string | undefined;
}): Promise<FileMakerSeen> {
  const client = createFileMakerClient({ ...options, ca: options.ca, timeoutMs: CALL_MS });
  let about: 'server' | 'login' | 'names' = 'server';
  let token: string | undefined;
  try {
    const { version } = await client.productInfo().catch((error: unknown) => {
      // A server that keeps this question to itself may answer the next one.
      if (error instanceof FileMakerError && error.stage === 'refused' && !error.circuit) return { version: undefined };
      throw error;
    });
    about = 'login';
    ({ token } = await client.login());
    about = 'names';
    const layouts = await client.layouts(token);
    return { kind: 'seen', version: version ?? null, layouts, scripts: await client.scripts(token) };
  } catch (error) {
    if (!(error instanceof FileMakerError)) throw error;
    return { kind: 'failed', about, reason: sentenceOf(error) };
  } finally {
    // A session that cannot be ended now ends by itself after a quarter of an hour.
    if (token !== undefined) await client.logout(token).catch(() => undefined);
    await client.close();
  }
}

function sentenceOf(error: FileMakerError): string {
  const number =
    error.apiCode === undefined ? (error.transportCode ?? error.fault ?? '') : `FileMaker code ${error.apiCode}`;
  const words: Readonly<Record<string, string>> = {
    FILEMAKER_CREDENTIALS:
      'FileMaker does not accept this account and password, or it lacks the extended privilege fmrest',
    FILEMAKER_LOGIN_ATTEMPTS: 'FileMaker has locked this account for some minutes',
    FILEMAKER_DATABASE_UNAVAILABLE: 'The file is closed, or has another name',
    FILEMAKER_CAPACITY: 'FileMaker has no room for one more session',
    FILEMAKER_CERTIFICATE:
      'The certificate of the server is not trusted (FILEMAKER_CA_FILE names an authority of your own)',
  };
  const said = words[error.code] ?? (error.stage === 'not-sent' ? 'The server cannot be reached' : error.code);
  return `${said}${number === '' ? '' : ` (${number})`}.`;
}
