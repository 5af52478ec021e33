import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(__dirname, '..', 'dist', 'main.js');
const children: ChildProcess[] = [];

function start(
  args: string[],
  env: Record<string, string>,
): { child: ChildProcess; lines: AsyncIterableIterator<string>; ended: Promise<unknown[]> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  return { child, lines, ended: once(child, 'close') };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('the process', () => {
  test('the first line names the address, settings come from the environment, SIGTERM ends it with 0', async () => {
    const { child, lines, ended } = start([], { SIMULATOR_CONFIG: '{"sessionsMax":2}' });
    const first = JSON.parse(String((await lines.next()).value));
    expect(first).toEqual({ simulator: 'filemaker', url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    const settings = await (await fetch(`${first.url}/_simulator/settings`)).json();
    expect(settings).toMatchObject({ sessionsMax: 2 });
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  test('with LOG=1 requests are printed without tokens', async () => {
    const { lines } = start(['--port', '0'], { LOG: '1' });
    const { url } = JSON.parse(String((await lines.next()).value));
    await fetch(`${url}/fmi/data/v2/databases/Shop/sessions/secret-token`, { method: 'DELETE' });
    expect((await lines.next()).value).toMatch(
      /^DELETE \/fmi\/data\/v2\/databases\/Shop\/sessions\/\*\*\* 401 \d+ ms$/,
    );
  });

  test('settings that do not fit end it with 2 and the name of the fault', async () => {
    const { child, ended } = start([], { SIMULATOR_CONFIG: '{"sessionMax":2}' });
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    expect(await ended).toEqual([2, null]);
    expect(errors).toContain('sessionMax');
  });

  test('--help says how it is used', async () => {
    const { lines, ended } = start(['--help'], {});
    expect((await lines.next()).value).toContain('FileMaker Server');
    expect(await ended).toEqual([0, null]);
  });
});
