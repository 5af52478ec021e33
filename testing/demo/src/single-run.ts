import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

interface Sign {
  readonly pid: number;
  readonly port: number;
  readonly nonce: string;
}

/**
 * Lets one demo run per folder. Gives the way to free the folder, or the process id of the demo that has it.
 *
 * The file alone proves nothing: a killed demo leaves it, and process ids come round again. So its owner answers on a
 * port with the word that stands in the file.
 */
export async function claimFolder(file: string): Promise<{ free: () => Promise<void> } | { takenBy: number }> {
  const nonce = randomBytes(12).toString('hex');
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(nonce);
  });
  const port = await listen(server);
  const sign: Sign = { pid: process.pid, port, nonce };
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(file, JSON.stringify(sign), { flag: 'wx', mode: 0o600 });
      return {
        free: async () => {
          rmSync(file, { force: true });
          await close(server);
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = readSign(file);
      if (owner && (await answers(owner))) {
        await close(server);
        return { takenBy: owner.pid };
      }
      rmSync(file, { force: true });
    }
  }
  await close(server);
  throw new Error(`${file} cannot be taken: other demos are starting at this moment. Try again.`);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.unref();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function readSign(file: string): Sign | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Cut off while it was written, or gone meanwhile: nobody's.
    return undefined;
  }
}

function answers({ port, nonce }: Sign): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let heard = '';
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('data', (chunk) => {
      heard += chunk.toString();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(heard === nonce));
  });
}
