import { readFileSync } from 'node:fs';
import type { ConfigurationFault } from './configuration-error';
import type { Role } from './variable';
import { type Environment, environmentSchema, variables } from './variables';

/** `ENOENT` and the like; the path is not repeated, since someone may have put the secret itself there. */
export function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unreadable';
}

/**
 * Reads the variables of one role: empty means unset, `NAME_FILE` gives a secret from a file (one line break at its
 * end is dropped), and both together are a fault, since one of them must be stale.
 */
export function readEnvironment(
  role: Role,
  env: NodeJS.ProcessEnv,
): { values: Partial<Environment>; faults: ConfigurationFault[]; faulty: ReadonlySet<string> } {
  const faults: ConfigurationFault[] = [];
  const values: Partial<Record<string, unknown>> = {};
  for (const { name, secret, roles } of variables) {
    if (!roles.includes(role)) continue;
    let raw = env[name];
    if (raw?.trim() === '') raw = undefined;
    const file = secret ? env[`${name}_FILE`]?.trim() : undefined;
    if (file !== undefined && file !== '') {
      if (raw !== undefined) {
        faults.push({ variable: name, message: `is given twice, also as ${name}_FILE; unset one of them` });
        continue;
      }
      try {
        raw = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        faults.push({ variable: `${name}_FILE`, message: `names a file that cannot be read (${reasonOf(error)})` });
        continue;
      }
      if (raw.trim() === '') {
        faults.push({ variable: `${name}_FILE`, message: 'names an empty file' });
        continue;
      }
    }
    if (raw === undefined) continue;
    const parsed = environmentSchema.shape[name].safeParse(raw);
    if (parsed.success) values[name] = parsed.data;
    else faults.push({ variable: name, message: parsed.error.issues.map((issue) => issue.message).join('; ') });
  }
  const faulty = new Set(faults.map((fault) => fault.variable.replace(/_FILE$/, '')));
  return { values: values as Partial<Environment>, faults, faulty };
}
