import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/**
 * Text form of a password hash: `scrypt$N$r$p$salt$hash`, salt and hash in base64 (RFC 7914 names N, r and p).
 * 32 MiB and about 100 ms a try: slow for a guesser, bearable for a person.
 */
const COST = { N: 32_768, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Whoever can write a hash into the configuration must not be able to hang the process with it. */
const BOUNDS = { N: 131_072, r: 16, p: 4 };
/** Characters; what is longer is refused before any work is spent on it. */
export const PASSWORD_LENGTH_MAX = 1_024;

interface PasswordHash {
  cost: typeof COST;
  salt: Buffer;
  hash: Buffer;
}

const FORM = /^scrypt\$(\d{1,7})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/]{16,128}={0,2})\$([A-Za-z0-9+/]{22,128}={0,2})$/;

/** Undefined when the text is not a hash that we would compare with. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const found = FORM.exec(text);
  if (found === null) return undefined;
  const [, N, r, p, salt, hash] = found;
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const powerOfTwo = cost.N >= 2 && (cost.N & (cost.N - 1)) === 0;
  if (!powerOfTwo || cost.N > BOUNDS.N || cost.r < 1 || cost.r > BOUNDS.r || cost.p < 1 || cost.p > BOUNDS.p)
    return undefined;
  return { cost, salt: Buffer.from(salt ?? '', 'base64'), hash: Buffer.from(hash ?? '', 'base64') };
}

function derive(password: string, salt: Buffer, cost: typeof COST, bytes: number): Promise<Buffer> {
  // The same letters can be typed in several ways (an accent of its own, a ligature); NFKC makes them one.
  const typed = password.normalize('NFKC');
  const options: ScryptOptions = { ...cost, maxmem: 256 * cost.N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(typed, salt, bytes, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

/**
 * `scrypt$N$r$p$salt$hash` of a password, with a salt of its own. RangeError: it is empty or longer than
 * `PASSWORD_LENGTH_MAX`.
 */
export async function hashPassword(password: string): Promise<string> {
  if (password.length === 0 || password.length > PASSWORD_LENGTH_MAX)
    throw new RangeError(`A password has 1 to ${PASSWORD_LENGTH_MAX} characters`);
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST, HASH_BYTES);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

const nobody: PasswordHash = { cost: COST, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };

/** Takes as long for a name that is not there (`stored` undefined) as for one that is. */
export async function passwordMatches(password: string, stored: string | undefined): Promise<boolean> {
  const parsed = stored === undefined ? undefined : parsePasswordHash(stored);
  const { cost, salt, hash } = parsed ?? nobody;
  const given = await derive(password.slice(0, PASSWORD_LENGTH_MAX), salt, cost, hash.length);
  return timingSafeEqual(given, hash) && parsed !== undefined;
}
