import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { startPostgres } from '@bridge/test-services';
import { help, readCommandLine, type Wishes } from './command-line';
import { Endings } from './endings';
import { type Rehearsal, rehearse } from './rehearse';
import { few, jsonOf, listOf, parkedReasons, sentenceOf, tableOf } from './report';
import { scenarios } from './scenarios';
import { createVoice } from './watcher-voice';

const root = resolve(__dirname, '../../..');
const traces = join(root, '.bridge/rehearsal');
const interruptedExitCode = 130;
/** A terminal and a shell may each pass on the same Ctrl-C; what comes this soon is not a second one. */
const sameSignalMs = 1_500;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

async function main(args: readonly string[], interrupted: AbortSignal, endings: Endings): Promise<number> {
  const commandLine = readCommandLine(args, scenarios);
  switch (commandLine.kind) {
    case 'wrong':
      // As every other command says it, whether or not the rest of the line could be read.
      if (args.includes('--json'))
        say(JSON.stringify({ error: { code: 'WRONG_USAGE', message: commandLine.why } }, null, 2));
      process.stderr.write(`bridge rehearse: ${commandLine.why}\nTry --help.\n`);
      return 2;
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'list':
      if (commandLine.json)
        say(
          JSON.stringify(
            scenarios.map(({ name, story }) => ({ name, story })),
            null,
            2,
          ),
        );
      else for (const line of listOf(scenarios)) say(line);
      return 0;
    case 'play':
      return play(commandLine.wishes, interrupted, endings);
  }
}

async function play(wishes: Wishes, signal: AbortSignal, endings: Endings): Promise<number> {
  const begun = performance.now();
  const write = process.stderr.isTTY ? (text: string) => void process.stderr.write(text) : undefined;
  const voice = createVoice(write, () => performance.now() - begun);
  const postgres = await startPostgres();
  endings.add(() => postgres.discard());
  const rehearsals: Rehearsal[] = [];
  for (const scenario of wishes.scenarios) {
    signal.throwIfAborted();
    voice.begin(scenario.name);
    const rehearsal = await rehearse(scenario, postgres, endings, { ...wishes, signal, voice });
    voice.note(rehearsal.passed ? 'passed' : 'FAILED');
    voice.clear();
    keepTraces(rehearsal);
    rehearsals.push(rehearsal);
  }
  if (wishes.json) say(JSON.stringify(jsonOf(rehearsals, wishes.seed), null, 2));
  else printForPeople(rehearsals, wishes.seed);
  return rehearsals.every(({ passed }) => passed) ? 0 : 1;
}

function printForPeople(rehearsals: readonly Rehearsal[], seed: number): void {
  for (const line of tableOf(rehearsals)) say(line);
  say();
  for (const rehearsal of rehearsals) {
    say(`${rehearsal.passed ? '✓' : '✗'} ${sentenceOf(rehearsal)}`);
    if (rehearsal.parked.length > 0) say(`    parked: ${parkedReasons(rehearsal).join(', ')}`);
    if (rehearsal.lost.length > 0) say(`    lost: ${few(rehearsal.lost)}`);
    if (rehearsal.doubled.length > 0) say(`    doubled: ${few(rehearsal.doubled)}`);
  }
  say();
  say(`What the apps printed: ${relative(root, traces)}/<scenario>-${seed}.log`);
  const failed = rehearsals.filter(({ passed }) => !passed).length;
  const again = `Seed ${seed}; it repeats the payments and the blows, not the machine’s timing.`;
  say(
    failed === 0
      ? `Nothing lost, nothing doubled, the cap kept. ${again}`
      : `${failed} of ${rehearsals.length} failed. ${again}`,
  );
}

function keepTraces(rehearsal: Rehearsal): void {
  const { scenario, seed, printed } = rehearsal;
  mkdirSync(traces, { recursive: true });
  const figures = JSON.stringify(jsonOf([rehearsal], seed), null, 2);
  writeFileSync(join(traces, `${scenario.name}-${seed}.log`), `${figures}\n${printed}\n`, { mode: 0o600 });
}

function listenForTheEnd(stop: () => void): void {
  let firstAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      firstAt ??= performance.now();
      // A second Ctrl-C: the guardian of the services ends what is still there.
      if (performance.now() - firstAt > sameSignalMs) process.exit(interruptedExitCode);
      stop();
    });
  process.stdout.on('error', stop);
}

async function run(): Promise<number> {
  const interrupted = new AbortController();
  const endings = new Endings();
  listenForTheEnd(() => interrupted.abort(new Error('interrupted')));
  const stopped = new Promise<number>((resolveStopped) => {
    interrupted.signal.addEventListener('abort', () => resolveStopped(interruptedExitCode), { once: true });
  });
  const played = main(process.argv.slice(2), interrupted.signal, endings).catch((error: unknown) => {
    if (!interrupted.signal.aborted)
      process.stderr.write(`bridge rehearse: ${error instanceof Error ? error.stack : String(error)}\n`);
    return interrupted.signal.aborted ? interruptedExitCode : 1;
  });
  const exitCode = await Promise.race([played, stopped]);
  await endings.end().catch((error: unknown) => {
    if (exitCode !== interruptedExitCode) throw error;
  });
  return exitCode;
}

// A handle that keeps the process alive while nothing but the children is being waited for.
const alive = setInterval(() => {}, 60_000);
void run()
  .catch((error: unknown) => {
    process.stderr.write(`bridge rehearse: ${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  })
  .then((exitCode) => {
    clearInterval(alive);
    process.exit(exitCode);
  });
