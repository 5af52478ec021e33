import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Demo } from './demo';
import { findLiveKey } from './live-key';
import { createPaper, wantsColours } from './paper';
import { claimFolder } from './single-run';

const root = resolve(__dirname, '../../..');
const paper = createPaper({
  write: (text) => process.stdout.write(text),
  colours: wantsColours(process.stdout.isTTY, process.env),
  elapsedMs: () => performance.now(),
});
const usage = `Usage: npm start [-- --once] [-- --folder DIR]

  --once         sells, prints what became of it, and ends
  --folder DIR   where its files go; default .bridge
`;
const options = readOptions();
const once = options.once === true || process.env.DEMO_ONCE === '1';
const folder = resolve(root, options.folder ?? '.bridge');
const folderName = relative(root, folder).startsWith('..') ? folder : relative(root, folder);

/** A terminal, npm and our own starter may each pass on the same Ctrl-C; what comes this soon is not a second one. */
const sameSignalMs = 1_500;
const refusedExitCode = 78;
const interruptedExitCode = 130;

/** Ends the process when they cannot be used. */
function readOptions(): { once?: boolean; folder?: string } {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean' }, folder: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help !== true) return values;
    process.stdout.write(usage);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}

async function main(): Promise<number> {
  const liveKey = findLiveKey(process.env);
  if (liveKey !== undefined) {
    process.stderr.write(
      `${liveKey} holds a live Stripe key. The demo uses no real account and does not run beside one: unset it, or use another shell.\n`,
    );
    return refusedExitCode;
  }
  mkdirSync(folder, { recursive: true });
  const claim = await claimFolder(join(folder, 'demo.json'));
  if ('takenBy' in claim) {
    process.stderr.write(
      `The demo already runs in this folder (process ${claim.takenBy}). Stop it there with Ctrl-C.\n`,
    );
    return 1;
  }
  try {
    return await show();
  } finally {
    await claim.free();
  }
}

async function show(): Promise<number> {
  paper.say(paper.strong('The Stripe–FileMaker bridge, a demo'));
  paper.say('Customers pay at Stripe, and FileMaker runs a script for each payment, exactly once.');
  paper.say('Everything here is private to this folder: no real account, no fixed port.');
  paper.say();

  let lost: string | undefined;
  const demo = new Demo({
    root,
    folder,
    folderName,
    paper,
    staysUp: !once,
    env: process.env,
    onLoss: (name, exitCode, lastLines) => {
      lost = `${name} ended by itself with code ${exitCode}. Its last lines (all of them: ${folderName}/logs/${name}.log):\n${lastLines}`;
      end();
    },
  });
  let end = () => {};
  const ended = new Promise<void>((resolveEnded) => {
    end = resolveEnded;
  });
  listenForTheEnd(end);

  // Ctrl-C and a lost process count at any time, also while things are still starting.
  const result = await Promise.race([demo.run(), ended.then(() => 'ended' as const)]).catch((error: unknown) => error);
  const isUp = typeof result === 'boolean';
  if (isUp && !once) {
    paper.say();
    paper.say(`${paper.strong('All of this stays up until you press Ctrl-C.')}`);
    await ended;
  }
  if (isUp && once) {
    paper.say();
    paper.say('This was the demo once through. Without --once it stays up: npm start');
  }
  paper.say();
  await demo.stop();
  paper.step('Stopped. Nothing is left running.');

  if (lost !== undefined) process.stderr.write(`${lost}\n`);
  else if (result instanceof Error) process.stderr.write(`The demo could not start: ${result.message}\n`);
  if (lost !== undefined || result instanceof Error || result === false) return 1;
  return isUp ? 0 : interruptedExitCode;
}

function listenForTheEnd(end: () => void): void {
  let firstAt: number | undefined;
  const onSignal = () => {
    const now = performance.now();
    firstAt ??= now;
    // A second Ctrl-C: the guardian ends what is still there.
    if (now - firstAt > sameSignalMs) process.exit(interruptedExitCode);
    end();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  // The starter was killed, or whoever read our output has gone.
  process.on('disconnect', end);
  process.channel?.unref();
  process.stdout.on('error', end);
}

// A handle that keeps the process alive while nothing but the children is being waited for.
const alive = setInterval(() => {}, 60_000);
void main()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  })
  .then((exitCode) => {
    clearInterval(alive);
    process.exit(exitCode);
  });
