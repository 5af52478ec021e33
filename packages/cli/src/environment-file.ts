import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { CommandError } from './failure';

export const ENVIRONMENT_FILE = '.env';

/** The variables of `.env` in this folder; undefined when there is none. Read as Node's `--env-file` reads it. */
export function readEnvironmentFile(folder: string): Record<string, string> | undefined {
  const file = join(folder, ENVIRONMENT_FILE);
  if (!existsSync(file)) return undefined;
  try {
    const values = parseEnv(readFileSync(file, 'utf8'));
    return Object.fromEntries(
      Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  } catch (error) {
    // Not by `instanceof`: what reads the file may live in another realm than this module.
    const code = (error as NodeJS.ErrnoException | null)?.code ?? 'unreadable';
    throw new CommandError('ENV_FILE_UNREADABLE', `${file} cannot be read (${code}).`, 78);
  }
}

const given = (env: NodeJS.ProcessEnv, name: string): boolean => (env[name] ?? '').trim() !== '';

/**
 * What the file says, and over it what the environment says. A secret given in one form goes before the other form in
 * the file: `STRIPE_API_KEY_FILE` of the environment replaces `STRIPE_API_KEY` of the file instead of contradicting it.
 */
export function mergeEnvironment(file: Record<string, string>, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(file).filter(([name]) => {
    const otherForm = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`;
    return !given(env, name) && !given(env, otherForm);
  });
  return { ...env, ...Object.fromEntries(kept) };
}

/**
 * The environment of a command. Commands need only DATABASE_URL, so an environment that has it is taken as it is, and
 * the `.env` of whatever folder one stands in cannot mix another installation in.
 */
export function commandEnvironment(
  env: NodeJS.ProcessEnv = process.env,
  folder: string = process.cwd(),
): NodeJS.ProcessEnv {
  if (given(env, 'DATABASE_URL') || given(env, 'DATABASE_URL_FILE')) return env;
  return mergeEnvironment(readEnvironmentFile(folder) ?? {}, env);
}

/** One value, quoted so that Node, a shell and systemd read the same; undefined when no quoting does that. */
function quoted(value: string): string | undefined {
  if (/[\r\n\0]/.test(value)) return undefined;
  if (/^[\w.:/@%+,=-]+$/.test(value)) return value;
  if (!value.includes("'") && !value.includes('\\')) return `'${value}'`;
  return /["\\$`]/.test(value) ? undefined : `"${value}"`;
}

/** `NAME=value` for an environment file. Throws a CommandError that names the variable and never its value. */
export function environmentLine(name: string, value: string): string {
  const text = quoted(value);
  if (text === undefined) {
    throw new CommandError(
      'VALUE_UNQUOTABLE',
      `${name} holds characters that Node, a shell and systemd read differently. Put the value into a file and give its path as ${name}_FILE.`,
      2,
    );
  }
  return `${name}=${text}`;
}
