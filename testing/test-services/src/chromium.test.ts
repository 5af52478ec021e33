import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureChromium } from './chromium';

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
  jest.restoreAllMocks();
});
const asUser = (uid: number) => jest.spyOn(process, 'getuid').mockReturnValue(uid);

it('takes the browser that is there and installs nothing', () => {
  asUser(0);
  const { options, bin, said } = setup({ 'google-chrome': '', 'apt-get': 'exit 99' });
  expect(ensureChromium(options)).toBe(join(bin, 'google-chrome'));
  expect(said).toEqual([]);
});

it('as root on Debian installs the package, after saying so', () => {
  asUser(0);
  const { options, bin, said } = setup({
    'apt-get': `case "$*" in *install*--no-install-recommends*chromium) printf '#!/bin/sh\\n' > $HERE/bin/chromium; /bin/chmod 755 $HERE/bin/chromium;; esac`,
  });
  expect(ensureChromium(options)).toBe(join(bin, 'chromium'));
  expect(said).toEqual(['No browser found: installing Debian’s package chromium (apt-get; about 300 MB).']);
});

it('says why apt-get failed, and which command to type', () => {
  asUser(0);
  const { options, said } = setup({ 'apt-get': 'echo "E: no network" >&2; exit 100' });
  expect(() => ensureChromium(options)).toThrow(/^Chromium is missing\. Install it with: /);
  expect(said.at(-1)).toBe('apt-get could not install it: E: no network');
});

it('without root nothing is installed', () => {
  asUser(1000);
  const { options, said } = setup({ 'apt-get': 'exit 99' });
  expect(() => ensureChromium(options)).toThrow('Chromium is missing. Install it with: ');
  expect(said).toEqual([]);
});
