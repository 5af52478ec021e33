import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync, writeSync } from 'node:fs';

/** What the hook reads from the environment. */
export interface HookVariables {
  /** The name of every point passed is written there, a line each. */
  CRASH_POINTS_FILE?: string;
  /** `<name>` or `<name>#<n>`: the process kills itself at the n-th passing, as `kill -9` would. */
  CRASH_AT?: string;
}

/**
 * Loaded into an app before anything of its own (`NODE_OPTIONS=--require=…/crash-hook.js`), and only then does a crash
 * point mean anything: the apps tell two channels of Node's what they pass, and hold no code that kills.
 */
const { NODE_ENV, CRASH_POINTS_FILE, CRASH_AT } = process.env;

if (NODE_ENV === 'production') {
  writeSync(2, 'The crash hook is loaded and NODE_ENV is production: refused. Take --require out of NODE_OPTIONS.\n');
  process.exit(78);
}

const [, fatalName, fatalPassing = '1'] = /^(.*?)(?:#(\d+))?$/.exec(CRASH_AT ?? '') ?? [];
let passings = 0;

function pass(message: unknown): void {
  const { at, label } = message as { at: string; label: string };
  const name = `${at}: ${label}`;
  if (CRASH_POINTS_FILE !== undefined) appendFileSync(CRASH_POINTS_FILE, `${name}\n`);
  if (name !== fatalName) return;
  passings += 1;
  if (passings !== Number(fatalPassing)) return;
  writeSync(2, `crash point reached: ${name}\n`);
  process.kill(process.pid, 'SIGKILL');
}

subscribe('bridge:commit', pass);
subscribe('bridge:outside-call', pass);
