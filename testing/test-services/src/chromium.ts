import { existsSync } from 'node:fs';
import {
  distributionIsDebianLike,
  findOnPath,
  installDebianPackage,
  mayInstallDebianPackages,
} from './machine-programs';
import { ServiceError } from './service-error';

/** For tests of this function alone; usually empty. */
export interface EnsureChromiumOptions {
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Told in one sentence before anything is installed. Default: standard error. */
  readonly say?: (sentence: string) => void;
}

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const onMacs = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';

/**
 * Finds a browser for tests of pages, in this order: Chromium or Chrome on the PATH, or where a Mac keeps it; as root on a
 * Debian machine, the distribution's package (about 300 MB installed, a minute); else an error with the one command to type.
 * Called by the tests that need it and not at every run, since it is large.
 */
export function ensureChromium(options: EnsureChromiumOptions = {}): string {
  const env = options.env ?? process.env;
  const say = options.say ?? ((sentence: string) => process.stderr.write(`${sentence}\n`));
  const found = names.map((name) => findOnPath(name, env)).find((file) => file !== undefined);
  if (found !== undefined) return found;
  // Only for the machine as it is: an environment of the caller's own says what there is.
  if (options.env === undefined && process.platform === 'darwin' && existsSync(onMacs)) return onMacs;
  if (mayInstallDebianPackages(env)) {
    say('No browser found: installing Debian’s package chromium (apt-get; about 300 MB).');
    const failure = installDebianPackage('chromium', env);
    const installed = findOnPath('chromium', env);
    if (installed !== undefined) return installed;
    say(`apt-get could not install it: ${failure}`);
  }
  throw new ServiceError('SERVICE_NOT_INSTALLED', `Chromium is missing. Install it with: ${installCommand(env)}`);
}

function installCommand(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return 'brew install --cask google-chrome';
  if (findOnPath('dnf', env)) return 'sudo dnf install chromium';
  if (findOnPath('apk', env)) return 'sudo apk add chromium';
  if (findOnPath('pacman', env)) return 'sudo pacman -S chromium';
  if (distributionIsDebianLike()) return 'sudo apt-get install chromium';
  return 'your system’s package chromium, or Google Chrome';
}
