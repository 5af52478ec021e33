import { X509Certificate } from 'node:crypto';

/** What `createFileMakerClient` needs. */
export interface FileMakerClientOptions {
  /** `https://host[:port][/prefix]`. `http:` is accepted for this machine's own addresses only, where a stand-in may run. */
  readonly url: string;
  /** The file's name, spelled exactly as at every other place that logs in: a token is bound to the spelling. */
  readonly database: string;
  readonly username: string;
  readonly password: string;
  /** PEM of the authorities to trust instead of Node's own. Verification itself cannot be switched off. */
  readonly ca?: string | undefined;
  /** Whole call, in milliseconds. Too short: scripts that are still running become unknown outcomes. */
  readonly timeoutMs: number;
  /** Until the connection stands, in milliseconds. Default 5000. Never longer than `timeoutMs`. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long an unused socket is kept, in milliseconds. Default 4000; longer than the server's own patience costs unknown outcomes. */
  readonly keepAliveMs?: number | undefined;
  /** Largest answer read, in bytes. Default 8 MiB. */
  readonly answerBytesMax?: number | undefined;
}

/** Faulty options, all named in one message. Holds no value of any option. */
export class FileMakerOptionsError extends Error {
  override readonly name = 'FileMakerOptionsError';
  readonly code = 'FILEMAKER_OPTIONS';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The FileMaker client cannot be made: ${faults.join('; ')}.`);
    this.faults = faults;
  }
}

/** Options with defaults filled in. */
export interface CheckedOptions {
  readonly origin: string;
  readonly prefix: string;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly ca: string | undefined;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly answerBytesMax: number;
}

/** setTimeout takes no longer time than this. */
const MS_MAX = 2 ** 31 - 1;

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

function urlFaults(url: URL | undefined): string[] {
  if (url === undefined) return ['url is not a URL'];
  const faults: string[] = [];
  if (url.protocol !== 'https:' && url.protocol !== 'http:') faults.push('url must begin with https://');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    faults.push(
      'url must begin with https:// (http:// is for this machine only: it would show the password to the network)',
    );
  }
  if (url.username !== '' || url.password !== '') faults.push('url must not hold a user name or password');
  if (url.search !== '' || url.hash !== '') faults.push('url must end before ? and #');
  return faults;
}

function caFaults(ca: string | undefined): string[] {
  if (ca === undefined) return [];
  const certificates = ca.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  // TLS passes silently over text without a certificate, and every connection then fails for a reason nobody can guess.
  if (certificates.length === 0) return ['ca holds no PEM certificate'];
  const unreadable = certificates.filter((pem) => {
    try {
      return new X509Certificate(pem).serialNumber === '';
    } catch {
      return true;
    }
  });
  return unreadable.length === 0 ? [] : ['ca holds a certificate that cannot be read'];
}

function countFaults(name: string, value: number, max: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= max
    ? []
    : [`${name} must be a whole number from 1 to ${max}`];
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

export function checkOptions(options: FileMakerClientOptions): CheckedOptions {
  const url = parseUrl(options.url);
  const connectTimeoutMs = options.connectTimeoutMs ?? 5_000;
  const keepAliveMs = options.keepAliveMs ?? 4_000;
  const answerBytesMax = options.answerBytesMax ?? 8 * 1024 * 1024;
  const faults = [
    ...urlFaults(url),
    ...(options.database === '' ? ['database is empty'] : []),
    ...(/\p{Surrogate}/u.test(options.database) ? ['database is not valid Unicode'] : []),
    ...(options.username === '' ? ['username is empty'] : []),
    // Basic authentication ends the user name at the first colon.
    ...(options.username.includes(':') ? ['username must not hold a colon'] : []),
    ...caFaults(options.ca),
    ...countFaults('timeoutMs', options.timeoutMs, MS_MAX),
    ...countFaults('connectTimeoutMs', connectTimeoutMs, MS_MAX),
    ...countFaults('keepAliveMs', keepAliveMs, MS_MAX),
    ...countFaults('answerBytesMax', answerBytesMax, 2 ** 30),
  ];
  if (faults.length > 0 || url === undefined) throw new FileMakerOptionsError(faults);
  return {
    origin: url.origin,
    prefix: url.pathname.replace(/\/+$/, ''),
    database: options.database,
    username: options.username,
    password: options.password,
    ca: options.ca,
    timeoutMs: options.timeoutMs,
    connectTimeoutMs,
    keepAliveMs,
    answerBytesMax,
  };
}
