import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

// Needs `npm run build`: it is the built file that others start.
const MAIN = join(__dirname, '..', 'dist', 'main.js');

function start(environment: Record<string, string>, ...flags: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...flags], { env: { ...process.env, ...environment } });
}

async function textOf(child: ChildProcess): Promise<{ stdout: string; stderr: string; code: number | null }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (part) => (stdout += String(part)));
  child.stderr?.on('data', (part) => (stderr += String(part)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { stdout, stderr, code };
}

it('says where it listens on its first line, answers there, and ends with 0 on SIGTERM', async () => {
  const child = start({ PORT: '0', STRIPE_SIMULATOR_KEY: 'sk_test_mine' });
  const ending = textOf(child);
  if (child.stdout === null) throw new Error('no stdout');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { simulator, url } = JSON.parse(String(line)) as { simulator: string; url: string };
  expect(simulator).toBe('stripe');
  const answer = await fetch(`${url}/v1/products`, { headers: { Authorization: 'Bearer sk_test_mine' } });
  expect(answer.status).toBe(200);
  child.kill('SIGTERM');
  expect(await ending).toMatchObject({ code: 0, stderr: '' });
});

it('help is printed, a wrong port is refused', async () => {
  expect(await textOf(start({}, '--help'))).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage:') });
  expect(await textOf(start({ PORT: 'many' }))).toMatchObject({ code: 2, stderr: expect.stringContaining('PORT') });
});
