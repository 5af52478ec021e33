import { parseArgs } from 'node:util';
import type { Risk } from './contract-case';

export const USAGE = `Plays the contract cases of a service and says what held, what deviates, and how open questions are answered.

  node testing/contracts/dist/main.js filemaker --url https://fm.example.com --database Shop [options]
  node testing/contracts/dist/main.js stripe [options]
  node testing/contracts/dist/main.js filemaker|stripe --play FILE [--json]
  node testing/contracts/dist/main.js filemaker|stripe --simulator URL [options]

  --plan               only say what would be done
  --allow a,b          what may be done beside reading: write, script, capacity, lockout, waiting, operator
  --with name=value    something that cases need; --plan names what is missing
  --only ID, --skip ID play these cases only; leave these out (may be repeated)
  --record FILE        write down every exchange, without secrets and customers' data, into a new file
  --play FILE          judge a recording; no server is asked
  --simulator URL      a simulator of this project; it is reset before each case
  --ca-file FILE       PEM of the authority that signed the FileMaker Server's certificate
  --receiver-port N    stripe: where deliveries arrive on this machine
  --json               the report as JSON on standard output

Credentials come from the environment only: FILEMAKER_USERNAME, FILEMAKER_PASSWORD; STRIPE_API_KEY (test mode),
STRIPE_RESTRICTED_KEY. Each may be given as NAME_FILE.
Exit code 0: nothing deviates; 1: something does, or nothing was played; 2: wrong usage.
`;

/** The command was not understood; told with the usage. */
export class UsageError extends Error {}

const RISKS: readonly Risk[] = ['write', 'script', 'capacity', 'lockout', 'waiting', 'operator'];

export interface Arguments {
  readonly service: 'filemaker' | 'stripe';
  readonly url: string | undefined;
  readonly database: string | undefined;
  readonly simulator: string | undefined;
  readonly play: string | undefined;
  readonly record: string | undefined;
  readonly caFile: string | undefined;
  readonly receiverPort: number | undefined;
  readonly allowed: ReadonlySet<Risk>;
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly given: Readonly<Record<string, string>>;
  readonly planOnly: boolean;
  readonly json: boolean;
}

/** Reads the command line; null asks for help. Throws `UsageError`. */
export function readArguments(args: readonly string[]): Arguments | null {
  const { values, positionals } = parsed(args);
  if (values.help === true) return null;
  const [service, ...more] = positionals;
  if ((service !== 'filemaker' && service !== 'stripe') || more.length > 0)
    throw new UsageError('name one service: filemaker or stripe');
  return {
    service,
    url: values.url,
    database: values.database,
    simulator: values.simulator,
    play: values.play,
    record: values.record,
    caFile: values['ca-file'],
    receiverPort: portOf(values['receiver-port']),
    allowed: risksOf(values.allow ?? []),
    only: values.only ?? [],
    skip: values.skip ?? [],
    given: pairsOf(values.with ?? []),
    planOnly: values.plan === true,
    json: values.json === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        url: { type: 'string' },
        database: { type: 'string' },
        simulator: { type: 'string' },
        play: { type: 'string' },
        record: { type: 'string' },
        'ca-file': { type: 'string' },
        'receiver-port': { type: 'string' },
        allow: { type: 'string', multiple: true },
        only: { type: 'string', multiple: true },
        skip: { type: 'string', multiple: true },
        with: { type: 'string', multiple: true },
        plan: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function risksOf(lists: readonly string[]): Set<Risk> {
  const names = lists.flatMap((list) => list.split(','));
  const known = RISKS.filter((risk) => names.includes(risk));
  const stranger = names.find((name) => !RISKS.some((risk) => risk === name));
  if (stranger !== undefined) throw new UsageError(`--allow knows ${RISKS.join(', ')}, and not ${stranger}`);
  return new Set(known);
}

function pairsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) throw new UsageError(`--with wants name=value, and not ${pair}`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new UsageError(`--receiver-port wants a port, and not ${text}`);
  return Number(text);
}
