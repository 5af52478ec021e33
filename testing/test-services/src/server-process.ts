import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { guard } from './guardian';
import { ServiceError } from './service-error';

export interface ServerCommand {
  readonly label: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Everything the server prints goes here: a pipe would fill up, or break when the parent is killed. */
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  readonly stopGraceMs: number;
  /** Resolves once this very server answers; rejects while it does not. */
  readonly answers: (pid: number) => Promise<unknown>;
  readonly startTimeoutMs: number;
}

const pollMs = 15;

/** One run of a server, from spawn to exit; under guard all the while. */
export class ServerProcess {
  private readonly exited: Promise<void>;
  private running = true;

  private constructor(
    private readonly command: ServerCommand,
    private readonly child: ChildProcess,
    readonly pid: number,
  ) {
    const release = guard({ pid, signal: command.stopSignal, graceMs: command.stopGraceMs });
    this.exited = new Promise((resolve) => {
      child.once('exit', () => {
        this.running = false;
        release();
        resolve();
      });
    });
  }

  static async start(command: ServerCommand): Promise<ServerProcess> {
    const log = openSync(command.logFile, 'w', 0o600);
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: command.env,
      // Its own group: Ctrl-C in a terminal reaches the parent alone, which then decides the order of stopping.
      detached: true,
      stdio: ['ignore', log, log],
      ...(command.uid === undefined ? {} : { uid: command.uid }),
      ...(command.gid === undefined ? {} : { gid: command.gid }),
    });
    closeSync(log);
    const spawnError = await new Promise<Error | undefined>((resolve) => {
      child.once('spawn', () => resolve(undefined));
      child.once('error', resolve);
    });
    if (spawnError || child.pid === undefined) {
      throw new ServiceError('SERVICE_DID_NOT_START', `${command.label} could not be run: ${spawnError?.message}`);
    }
    const server = new ServerProcess(command, child, child.pid);
    await server.untilItAnswers();
    // From here a forgotten server does not keep its parent alive; the guardian ends it.
    child.unref();
    return server;
  }

  get isRunning(): boolean {
    return this.running;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  async stop(): Promise<void> {
    await this.end(this.command.stopSignal, this.command.stopGraceMs);
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL', this.command.stopGraceMs);
  }

  private async end(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    if (!this.running) return;
    this.child.ref();
    this.child.kill(signal);
    this.child.kill('SIGCONT');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    await this.exited;
    clearTimeout(timer);
  }

  private async untilItAnswers(): Promise<void> {
    const { label, startTimeoutMs } = this.command;
    const deadline = performance.now() + startTimeoutMs;
    while (this.running && performance.now() < deadline) {
      try {
        await Promise.race([this.command.answers(this.pid), this.exited]);
        if (this.running) return;
      } catch {
        await Promise.race([delay(pollMs), this.exited]);
      }
    }
    const how = this.running ? `did not answer within ${startTimeoutMs / 1000} s` : 'ended while starting';
    await this.kill();
    throw new ServiceError('SERVICE_DID_NOT_START', `${label} ${how}. Its last words:\n${this.lastWords()}`, true);
  }

  private lastWords(): string {
    return readFileSync(this.command.logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
  }
}
