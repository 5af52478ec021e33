import { parseArgs } from 'node:util';
import { type Blow, benchDrain } from './bench-drain';
import { benchIngress } from './bench-ingress';
import { benchLatency } from './bench-latency';
import { asText, faultsOf, isMet, machine, type Report } from './report';

const usage = `Usage: npm run bench:ingress|bench:latency|bench:drain|bench:smoke -- [options]
  --json             the report as JSON on standard output
  --no-guard         do not wait for a quiet machine, throw nothing away
  --patience <s>     wait so long for a quiet machine before each repetition (30)
  --repetitions <n>  ingress: repetitions of each server (5)
  --count <n>        ingress: webhooks per repetition (10000); latency: one at a time (300); drain: effects (2000)
  --seconds <s>      ingress: at 500/s (10); latency: at 50/s (20)
  --workers <n>      drain: workers of the bridge (1)
  --blow <what>      drain: kill (one worker, kill -9) or outage (FileMaker away for 20 s) after a quarter of the work
Exit code 0: measured, nothing lost or doubled; 1: something was, or a figure is missing; 2: wrong usage.
`;

const options = {
  json: { type: 'boolean' },
  'no-guard': { type: 'boolean' },
  patience: { type: 'string' },
  repetitions: { type: 'string' },
  count: { type: 'string' },
  seconds: { type: 'string' },
  workers: { type: 'string' },
  blow: { type: 'string' },
  help: { type: 'boolean' },
} as const;

class UsageError extends Error {}

function wholeNumber(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!/^[1-9]\d{0,6}$/.test(value)) throw new UsageError(`--${name} wants a whole number, not ${value}`);
  return Number(value);
}

function readBlow(value: string | undefined): Blow {
  if (value === undefined) return 'none';
  if (value !== 'kill' && value !== 'outage') throw new UsageError(`--blow wants kill or outage, not ${value}`);
  return value;
}

function readArguments(args: readonly string[]): { bench: string; json: boolean; benches: (() => Promise<Report>)[] } {
  const { values, positionals } = parse(args);
  const [bench = ''] = positionals;
  if (values.help === true || positionals.length !== 1) throw new UsageError('name one benchmark');
  const number = (name: 'patience' | 'repetitions' | 'count' | 'seconds' | 'workers', otherwise: number): number =>
    wholeNumber(name, values[name], otherwise);
  const guard = { enabled: values['no-guard'] !== true, patienceMs: number('patience', 30) * 1_000 };
  const unguarded = { enabled: false, triesMax: 1 };
  const workers = number('workers', 1);
  const benches: Record<string, (() => Promise<Report>)[]> = {
    ingress: [
      () =>
        benchIngress({
          requests: number('count', 10_000),
          steadySeconds: number('seconds', 10),
          repetitions: number('repetitions', 5),
          guard,
        }),
    ],
    latency: [() => benchLatency({ idle: number('count', 300), loadSeconds: number('seconds', 20), guard })],
    drain: [
      () =>
        benchDrain({
          count: number('count', 2_000),
          cap: 10,
          loginMs: 300,
          scriptMs: 100,
          workers,
          blow: readBlow(values.blow),
          // A drain takes a minute and a half; two tries are what people wait for.
          guard: { ...guard, triesMax: 2 },
        }),
    ],
    smoke: [
      () => benchIngress({ requests: 1_000, steadySeconds: 1, repetitions: 1, guard: unguarded }),
      () => benchLatency({ idle: 20, loadSeconds: 2, guard: unguarded }),
      () => benchDrain({ count: 100, cap: 10, loginMs: 50, scriptMs: 20, workers: 1, blow: 'none', guard: unguarded }),
    ],
  };
  const chosen = benches[bench];
  if (chosen === undefined) throw new UsageError(`there is no benchmark ${bench}`);
  return { bench, json: values.json === true, benches: chosen };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<number> {
  const { json, benches } = readArguments(process.argv.slice(2));
  let faulty = false;
  for (const bench of benches) {
    const report = await bench();
    const faults = faultsOf(report);
    faulty ||= faults.length > 0;
    const goals = report.goals.map((goal) => ({ ...goal, met: isMet(goal) }));
    process.stdout.write(
      json ? `${JSON.stringify({ machine: machine(), ...report, goals, faults })}\n` : `${asText(report)}\n`,
    );
    for (const fault of faults) process.stderr.write(`bench:${report.bench}: ${fault}\n`);
  }
  return faulty ? 1 : 0;
}

void main()
  .catch((error: unknown) => {
    if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${usage}`);
    else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  })
  .then((exitCode) => process.exit(exitCode));
