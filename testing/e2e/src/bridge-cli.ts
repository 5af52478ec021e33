import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const main = join(__dirname, '../../../packages/cli/dist/main.js');

export interface Ended {
  code: number | null;
  /** Standard output alone. */
  out: string;
  /** Standard output and error, as they came. */
  text: string;
}

/** Runs `./bridge` as a person would, with these words; nothing of the machine's own configuration reaches it. */
export async function runBridge(
  words: readonly string[],
  env: Record<string, string>,
  timeoutMs = 180_000,
): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...words], {
    // Not the project's folder: a developer's .env there is none of these tests' business.
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
  let [out, text] = ['', ''];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (stream === child.stdout) out += piece;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, text };
}

/** The words of a command line as it stands in a document: quoted parts stay together. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
