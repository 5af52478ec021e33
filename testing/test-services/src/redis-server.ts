import { spawnSync } from 'node:child_process';
import {
  distributionIsDebianLike,
  findOnPath,
  installDebianPackage,
  mayInstallDebianPackages,
} from './machine-programs';
import { ServiceError } from './service-error';

/** How a Redis can be run here: a program on the PATH, or a container. */
export type RedisServer = { readonly program: string } | { readonly docker: string; readonly image: string };

/** For tests of this function alone; usually empty. */
export interface EnsureRedisOptions {
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Told in one sentence before anything is installed or fetched. Default: standard error. */
  readonly say?: (sentence: string) => void;
}

const image = 'redis:8';
const dockerAnswersWithinMs = 3_000;

/**
 * Finds a way to run Redis, in this order: `redis-server` or `valkey-server` on the PATH; Docker, if its daemon
 * answers within 3 s; as root on a Debian machine, the distribution's package, installed without starting its
 * service; else an error with the one command to type.
 */
export function ensureRedisServer(options: EnsureRedisOptions = {}): RedisServer {
  const env = options.env ?? process.env;
  const say = options.say ?? ((sentence: string) => process.stderr.write(`${sentence}\n`));
  const program = findOnPath('redis-server', env) ?? findOnPath('valkey-server', env);
  if (program) return { program };
  const docker = findOnPath('docker', env);
  if (docker && dockerAnswers(docker, env)) {
    fetchImage(docker, env, say);
    return { docker, image };
  }
  if (mayInstallDebianPackages(env)) {
    say('No redis-server found: installing Debian’s package redis-server (apt-get; its service is not started).');
    const failure = installDebianPackage('redis-server', env);
    const installed = findOnPath('redis-server', env);
    if (installed) return { program: installed };
    say(`apt-get could not install it: ${failure}`);
  }
  throw new ServiceError('SERVICE_NOT_INSTALLED', `Redis is missing. Install it with: ${installCommand(env)}`);
}

function dockerAnswers(docker: string, env: NodeJS.ProcessEnv): boolean {
  const { status } = spawnSync(docker, ['info'], { env, stdio: 'ignore', timeout: dockerAnswersWithinMs });
  return status === 0;
}

function fetchImage(docker: string, env: NodeJS.ProcessEnv, say: (sentence: string) => void): void {
  if (spawnSync(docker, ['image', 'inspect', image], { env, stdio: 'ignore', timeout: 30_000 }).status === 0) return;
  say(`No redis-server found: fetching the container image ${image}.`);
  spawnSync(docker, ['pull', '--quiet', image], { env, stdio: 'ignore', timeout: 300_000 });
}

function installCommand(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return 'brew install redis';
  if (findOnPath('dnf', env)) return 'sudo dnf install valkey   (older systems: sudo dnf install redis)';
  if (findOnPath('apk', env)) return 'sudo apk add redis';
  if (findOnPath('pacman', env)) return 'sudo pacman -S valkey';
  if (distributionIsDebianLike()) return 'sudo apt-get install redis-server';
  return 'your system’s package redis or valkey, or start Docker';
}
