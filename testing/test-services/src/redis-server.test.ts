import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureRedisServer } from './redis-server';

/** A PATH with nothing but the given shell scripts. */
function setup(programs: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-path-'));
  mkdirSync(join(folder, 'bin'));
  for (const [name, body] of Object.entries(programs)) {
    const file = join(folder, 'bin', name);
    writeFileSync(file, `#!/bin/sh\n${body.replaceAll('$HERE', folder)}\n`);
    chmodSync(file, 0o755);
  }
  folders.push(folder);
  const said: string[] = [];
  const say = (sentence: string) => void said.push(sentence);
  return { said, bin: join(folder, 'bin'), options: { env: { PATH: join(folder, 'bin') }, say } };
}

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const asRoot = (uid: number) => jest.spyOn(process, 'getuid').mockReturnValue(uid);
afterEach(() => jest.restoreAllMocks());

it('prefers redis-server, then valkey-server, over a Docker that answers', () => {
  const all = setup({ 'redis-server': '', 'valkey-server': '', docker: 'exit 0' });
  expect(ensureRedisServer(all.options)).toEqual({ program: join(all.bin, 'redis-server') });
  const valkey = setup({ 'valkey-server': '', docker: 'exit 0' });
  expect(ensureRedisServer(valkey.options)).toEqual({ program: join(valkey.bin, 'valkey-server') });
});

it('takes Docker when its daemon answers, and says that it fetches the image', () => {
  const { options, bin, said } = setup({ docker: 'test "$1" != image' });
  expect(ensureRedisServer(options)).toEqual({ docker: join(bin, 'docker'), image: 'redis:8' });
  expect(said).toEqual(['No redis-server found: fetching the container image redis:8.']);
});

it('passes over a Docker whose daemon does not answer, and a daemon that hangs costs three seconds', () => {
  asRoot(1000);
  expect(() => ensureRedisServer(setup({ docker: 'exit 1' }).options)).toThrow('Redis is missing. Install it with: ');
  const startedAt = performance.now();
  expect(() => ensureRedisServer(setup({ docker: 'exec /bin/sleep 60' }).options)).toThrow('Redis is missing');
  expect(performance.now() - startedAt).toBeLessThan(30_000);
});

it('as root on Debian installs the package with services off, after saying so', () => {
  asRoot(0);
  const { options, bin, said } = setup({
    'apt-get': `echo "$RUNLEVEL $*" >> $HERE/calls
case "$*" in *install*) printf '#!/bin/sh\\n' > $HERE/bin/redis-server; /bin/chmod 755 $HERE/bin/redis-server;; esac`,
  });
  expect(ensureRedisServer(options)).toEqual({ program: join(bin, 'redis-server') });
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('installing Debian’s package redis-server');
});

it('without root nothing is installed and the error is one line with the command to type', () => {
  asRoot(1000);
  const { options } = setup({ 'apt-get': 'exit 99', dnf: '' });
  let message = '';
  try {
    ensureRedisServer(options);
  } catch (error) {
    message = String(error);
  }
  expect(message).toMatch(/^ServiceError: Redis is missing\. Install it with: (sudo dnf install|brew install)/);
  expect(message).not.toContain('\n');
});
