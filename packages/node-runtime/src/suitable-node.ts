import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** undici 8 does not load on anything older. */
export const NODE_NEEDED = '22.19.0';

/** Whether a version such as `24.21.0` is at least the one that is needed. */
export function suits(version: string, needed: string = NODE_NEEDED): boolean {
  const [have, want] = [version, needed].map((text) => text.split('.').map(Number));
  for (const [index, least] of (want ?? []).entries()) {
    const part = have?.[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** The Node that npm has brought along for this platform, looked for upwards from a folder; undefined when there is none. */
export function findNode(
  from: string,
  platform: string = process.platform,
  architecture: string = process.arch,
): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', `node-${platform}-${architecture}`, 'bin', 'node');
    if (existsSync(found)) return found;
    if (dirname(folder) === folder) return undefined;
  }
}
