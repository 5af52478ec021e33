// docker compose for one chaos run: a project of its own, ports that are free, settings made anew.
import { execFile, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const outputBytesMax = 64 * 1_048_576;

export class ComposeStack {
  /** @param {{ root: string, folder: string, project: string }} where project folder, settings, compose project name */
  constructor({ root, folder, project }) {
    this.root = root;
    this.folder = folder;
    this.env = {
      ...process.env,
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_PROFILES: 'demo',
      BRIDGE_HOME: folder,
      PUBLISH_HOST: '127.0.0.1',
      // 0: the engine takes a free port.
      INGRESS_PORT: '0',
      CONSOLE_PORT: '0',
      STRIPE_SIMULATOR_PORT: '0',
      FILEMAKER_SIMULATOR_PORT: '0',
    };
  }

  /**
   * Throws away what an earlier run left, and makes the demo's settings anew.
   * @param {Record<string, string | number>} settings variables beside those of the demo
   */
  async prepare(settings) {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    await this.#command('sh', [join(this.root, 'deploy/init.sh'), 'demo', this.folder], 60);
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    appendFileSync(join(this.folder, 'bridge.env'), lines.join(''));
    await this.removeAll();
  }

  async compose(args, timeoutSeconds = 120) {
    return this.#command('docker', ['compose', '--progress', 'quiet', ...args], timeoutSeconds);
  }

  build = () => this.compose(['build'], 1_800);
  /** @param {Record<string, number>} scale how many containers of a service */
  up = (scale) => {
    const scales = Object.entries(scale).flatMap(([service, count]) => ['--scale', `${service}=${count}`]);
    return this.compose(['up', '--detach', '--wait', '--no-build', ...scales], 300);
  };
  stop = (...services) => this.compose(['stop', ...services], 300);
  start = (...services) => this.compose(['up', '--detach', '--wait', '--no-build', '--no-deps', ...services], 300);
  removeAll = () => this.compose(['down', '--volumes', '--remove-orphans'], 300);

  /** Ends everything at once, from a signal handler that cannot wait. */
  removeAllNow() {
    spawnSync('docker', ['compose', 'down', '--volumes', '--timeout', '1'], {
      cwd: this.root,
      env: this.env,
      stdio: 'ignore',
      timeout: 120_000,
    });
  }

  exec = (service, ...command) => this.compose(['exec', '--no-TTY', service, ...command]);
  logs = () => this.compose(['logs', '--no-color', '--timestamps']);
  certificate = () => readFileSync(join(this.folder, 'config/filemaker-ca.pem'), 'utf8');

  async address(service, port) {
    const [line] = (await this.compose(['port', service, String(port)])).split('\n');
    return line;
  }

  /** All containers of the given services, also those that have ended. */
  async containers(...services) {
    const ids = (await this.compose(['ps', '--all', '--quiet', ...services])).split('\n').filter(Boolean);
    const found = JSON.parse(await this.#command('docker', ['inspect', ...ids], 30));
    return found.map(({ Id, Name, Config, State, RestartCount }) => ({
      id: Id,
      name: Name.slice(1),
      host: Config.Hostname,
      status: State.Status,
      health: State.Health?.Status,
      exitCode: State.ExitCode,
      restarts: RestartCount,
    }));
  }

  /**
   * SIGKILL from inside, as a crash or the kernel's out-of-memory killer does it. `docker kill` would count as a
   * person's wish, and the restart policy would leave the container down.
   */
  async killProcess(container, pid) {
    await this.#command('docker', ['exec', container, 'sh', '-c', `kill -KILL ${pid}`], 30);
  }

  /** Rows of PostgreSQL, each an array of texts. */
  async query(sql) {
    const args = [
      'psql',
      '--username=bridge',
      '--no-align',
      '--tuples-only',
      '--field-separator=|',
      `--command=${sql}`,
    ];
    const text = await this.exec('postgres', ...args);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('|'));
  }

  /** What `bridge status` says. It exits with 1 when something waits for a person, which is an answer too. */
  async bridgeStatus() {
    const text = await this.exec('scheduler', 'bridge', 'status', '--json').catch((error) => {
      if (error.cause?.code === 1) return error.cause.stdout;
      throw error;
    });
    return JSON.parse(text);
  }

  /** Keys that do not expire by themselves: those may go at any moment, restart or not. */
  async lastingRedisKeys() {
    const count = `local lasting = 0
      for _, key in ipairs(redis.call('KEYS', '*')) do
        if redis.call('TTL', key) == -1 then lasting = lasting + 1 end
      end
      return lasting`;
    return Number(await this.exec('redis', 'redis-cli', 'eval', count, '0'));
  }

  async #command(file, args, timeoutSeconds) {
    try {
      const { stdout } = await run(file, args, {
        cwd: this.root,
        env: this.env,
        timeout: timeoutSeconds * 1_000,
        maxBuffer: outputBytesMax,
      });
      return stdout.trim();
    } catch (error) {
      const said = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().split('\n').slice(-30).join('\n');
      const late = error.killed ? ` (not done after ${timeoutSeconds} s)` : '';
      throw new Error(`${file} ${args.join(' ')} failed${late}\n${said}`, { cause: error });
    }
  }
}
