import { execFile } from 'node:child_process';
import { join } from 'node:path';

const timeoutMs = 60_000;

/** Our copy of one of Stripe's events, as `./bridge events list --json` gives it. */
export interface EventRow {
  readonly eventId: string;
  readonly eventType: string;
  readonly state: string;
  readonly reason: string | null;
}

/** Runs the bridge's command line with the settings given, and gives the JSON it prints. */
export function bridgeCommand<Answer>(
  root: string,
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  input = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [join(root, 'packages/cli/dist/main.js'), ...args, '--json'],
      { cwd: root, env, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error)
          reject(new Error(`./bridge ${args.join(' ')} failed: ${stderr.trim() || stdout.trim() || error.message}`));
        else resolve(JSON.parse(stdout) as Answer);
      },
    );
    child.stdin?.end(input);
  });
}
