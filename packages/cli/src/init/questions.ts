import type { Prompter } from '../prompter';

/** One setting that `init` needs, and how it is asked for. */
export interface Question {
  readonly variable: string;
  readonly flag: string;
  readonly asks: string;
  readonly byDefault?: string;
  readonly hidden?: true;
}

export const questions: readonly Question[] = [
  {
    variable: 'DATABASE_URL',
    flag: '--database-url',
    asks: 'PostgreSQL 15 or newer',
    byDefault: 'postgresql://bridge@localhost/bridge?host=/var/run/postgresql',
  },
  { variable: 'REDIS_URL', flag: '--redis-url', asks: 'Redis or Valkey', byDefault: 'redis://127.0.0.1:6379' },
  {
    variable: 'STRIPE_API_KEY',
    flag: '--stripe-key',
    asks: 'Stripe key, restricted (rk_…) or secret (sk_…)',
    hidden: true,
  },
  {
    variable: 'STRIPE_WEBHOOK_SECRETS',
    flag: '--webhook-secret',
    asks: 'Signing secret of the webhook endpoint (whsec_…); empty: no open port, events are fetched each minute',
    hidden: true,
  },
  { variable: 'FILEMAKER_URL', flag: '--filemaker-url', asks: 'FileMaker Server, as https://host' },
  { variable: 'FILEMAKER_DATABASE', flag: '--filemaker-database', asks: 'FileMaker file, without .fmp12' },
  { variable: 'FILEMAKER_USERNAME', flag: '--filemaker-account', asks: 'Account in that file' },
  { variable: 'FILEMAKER_PASSWORD', flag: '--filemaker-password', asks: 'Its password', hidden: true },
];

/** What the command line gives. */
export interface InitOptions extends Record<string, unknown> {
  folder: string;
  layout?: string;
  script?: string;
  mode?: 'live' | 'observe';
  logLayout?: string;
  handoffLayout?: string;
  force?: boolean;
  yes?: boolean;
  offline?: boolean;
  json?: boolean;
}

/** As commander names them: `--stripe-key` is `stripeKey`. */
const optionName = (flag: string): string =>
  flag.slice(2).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
/** What was given, unless it is blank. */
export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined;

/** What is known without asking: the flag, the environment in either form, the file that was here before. */
export function known(
  question: Question,
  options: InitOptions,
  before: Readonly<Record<string, string>>,
): [name: string, value: string] | undefined {
  const { variable, flag } = question;
  const inFile = `${variable}_FILE`;
  const found: [string, unknown][] = [
    [variable, options[optionName(flag)]],
    [variable, process.env[variable]],
    [inFile, process.env[inFile]],
    [variable, before[variable]],
    [inFile, before[inFile]],
  ];
  for (const [name, value] of found) {
    const given = text(value);
    if (given !== undefined) return [name, given];
  }
  return undefined;
}

/** Asks for one setting; an empty answer is its default, or empty. */
export function askOne(prompter: Prompter, { asks, byDefault, hidden }: Question): Promise<string> {
  const question = `${asks}${byDefault === undefined ? '' : ` [${byDefault}]`}: `;
  if (hidden === true) return prompter.askHidden(question);
  return prompter.ask(question).then((answer) => answer || (byDefault ?? ''));
}

export const questionOf = (variable: string): Question | undefined =>
  questions.find((one) => one.variable === variable);
