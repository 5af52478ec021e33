import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { findNode, NODE_NEEDED, suits } from './suitable-node';

/** Set in the child, so that it runs whatever its version is and follows its parent into death. */
const FOLLOWS = 'BRIDGE_FOLLOWS_PARENT';
const EXIT_CONFIGURATION = 78;

/**
 * Runs `main` here if this Node is new enough. Otherwise it starts the same program with the Node that npm has brought
 * along and stands for it: signals, output and exit code pass through, and when this process is killed the child is dead
 * a moment later (it loses its channel), so that a kill -9 of the process that was started kills the work too.
 */
export function onSuitableNode(
  main: () => Promise<unknown>,
  options: { needed?: string; searchFrom?: string } = {},
): void {
  if (process.env[FOLLOWS] === '1') {
    delete process.env[FOLLOWS];
    process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
    process.channel?.unref();
    void main();
    return;
  }
  const needed = options.needed ?? NODE_NEEDED;
  if (suits(process.versions.node, needed)) {
    void main();
    return;
  }
  const node = findNode(options.searchFrom ?? __dirname);
  if (node === undefined) {
    process.stderr.write(
      `This needs Node ${needed} or newer and runs on ${process.versions.node}. Install a newer one, or run npm install.\n`,
    );
    process.exit(EXIT_CONFIGURATION);
  }
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [FOLLOWS]: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${node} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
}
