import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { type Arguments, readArguments, USAGE, UsageError } from './arguments';
import { readCredentials } from './credentials';
import { UnreadableRecording } from './play';
import { playRecording } from './play-recording';
import { playServer } from './play-server';
import { playFileMakerSimulator, playStripeSimulator } from './play-simulator';
import type { Operator } from './real-stage';
import { newRecordingFile } from './record';
import type { CaseResult } from './run-case';
import { answersOf, type Report } from './run-suite';
import { sayCase, sayEnd } from './say-report';

const EXIT_DEVIATES = 1;
const EXIT_USAGE = 2;

/** What is told on the way goes to standard error, so that the report can be piped. */
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

const operator: Operator = {
  tell,
  ask: async (request) => {
    if (!process.stdin.isTTY) return false;
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    try {
      await prompt.question(`\n>>> ${request}\n>>> Press Enter when it is done. `);
      return true;
    } finally {
      prompt.close();
    }
  },
};

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2));
  if (given === null) {
    process.stdout.write(USAGE);
    return 0;
  }
  const onCase = (result: CaseResult): void => {
    if (!given.json) process.stdout.write(`${sayCase(result)}\n`);
  };
  const report = await play(given, onCase);
  if (report === null) return 0;
  const openQuestions = Object.fromEntries(answersOf(report));
  process.stdout.write(given.json ? `${JSON.stringify({ ...report, openQuestions })}\n` : `\n${sayEnd(report)}\n`);
  return report.counts.deviates > 0 || report.counts.held === 0 ? EXIT_DEVIATES : 0;
}

async function play(given: Arguments, onCase: (result: CaseResult) => void): Promise<Report | null> {
  if (given.play !== undefined) return playRecording(readFileSync(given.play, 'utf8'), given.service, onCase);
  const run = `contract-${randomBytes(4).toString('hex')}`;
  const record = given.record === undefined || given.planOnly ? undefined : newRecordingFile(given.record);
  if (given.simulator !== undefined) {
    const { only, skip } = given;
    const simulatorRun = { url: given.simulator, run, only, skip, record, onCase };
    return given.service === 'filemaker' ? playFileMakerSimulator(simulatorRun) : playStripeSimulator(simulatorRun);
  }
  let stopped = false;
  process.once('SIGINT', () => {
    stopped = true;
    tell('Stopping after this case, so that it can tidy up. Once more ends at once.');
  });
  const secrets = readCredentials(given.service, process.env, run);
  return playServer({ given, secrets, run, operator, record, onCase, isStopped: () => stopped });
}

void main()
  .catch((error: unknown) => {
    if (error instanceof UsageError) tell(`${error.message}\n\n${USAGE}`);
    else tell(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError || error instanceof UnreadableRecording ? EXIT_USAGE : EXIT_DEVIATES;
  })
  .then((code) => {
    process.exitCode = code;
  });
