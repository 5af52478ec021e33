import { parseArgs } from 'node:util';
import type { Scenario } from './scenario';

export interface Wishes {
  readonly scenarios: readonly Scenario[];
  readonly seed: number;
  readonly payments: number | undefined;
  readonly json: boolean;
}

export type CommandLine =
  | { readonly kind: 'play'; readonly wishes: Wishes }
  | { readonly kind: 'help' | 'list'; readonly json: boolean }
  | { readonly kind: 'wrong'; readonly why: string };

const paymentsMin = 10;
const paymentsMax = 10_000;
const seedMax = 1_000_000;

export const help = `Usage: ./bridge rehearse [scenario ... | all] [options]

Puts the bridge through disasters under load: throw-away PostgreSQL and Redis, stand-ins for Stripe and FileMaker, the
apps as real processes. Nothing of your configuration is read and no real account is touched. The stand-ins' own books
decide; what the bridge says of itself does not.

Options:
  --seed N        other payments, and another mixture in "everything" (default 1)
  --payments N    instead of each scenario's own number, ${paymentsMin} to ${paymentsMax}
  --json          print one JSON object instead of a table
  --list          what the scenarios are
  -h, --help      this text

Without a name, all are played: about eight minutes.
Exit codes: 0 nothing lost, nothing doubled, the session cap kept; 1 otherwise; 2 wrong usage; 130 Ctrl-C.

Examples:
  $ ./bridge rehearse worker-killed redis-flushed
  $ ./bridge rehearse everything --seed 42 --payments 1000
`;

export function readCommandLine(args: readonly string[], scenarios: readonly Scenario[]): CommandLine {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  const json = values.json === true;
  if (values.help === true) return { kind: 'help', json };
  if (values.list === true) return { kind: 'list', json };
  const names = positionals.length === 0 ? ['all'] : [...new Set(positionals)];
  const unknown = names.filter((name) => name !== 'all' && !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) return { kind: 'wrong', why: `There is no scenario ${unknown.join(', ')}. See --list.` };
  const seed = whole(values.seed, 0, seedMax);
  const payments = whole(values.payments, paymentsMin, paymentsMax);
  if (seed === 'wrong') return { kind: 'wrong', why: `--seed takes a whole number from 0 to ${seedMax}.` };
  if (payments === 'wrong')
    return { kind: 'wrong', why: `--payments takes a whole number from ${paymentsMin} to ${paymentsMax}.` };
  const chosen = scenarios.filter(({ name, mustFail }) => names.includes(name) || (names.includes('all') && !mustFail));
  return { kind: 'play', wishes: { scenarios: chosen, seed: seed ?? 1, payments, json } };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      payments: { type: 'string' },
      json: { type: 'boolean' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

function whole(text: string | undefined, least: number, most: number): number | undefined | 'wrong' {
  if (text === undefined) return undefined;
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= most ? value : 'wrong';
}
