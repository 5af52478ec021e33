import { environmentLine } from './environment-file';

/** One part of `.env`: a sentence above some variables. */
interface Part {
  readonly says: string;
  readonly names: readonly string[];
}

/** The order of `.env`. A secret may stand there as `NAME_FILE`. */
const parts: readonly Part[] = [
  { says: 'PostgreSQL owns every fact. Redis hands out jobs and may vanish.', names: ['DATABASE_URL', 'REDIS_URL'] },
  {
    says: 'observe decides and records, and sends nothing; live does the work.',
    names: ['MODE', 'NODE_ENV'],
  },
  {
    says: 'Who may reach the webhook and the status page: this machine only, so a TLS proxy has to stand before them.',
    names: ['HOST'],
  },
  {
    says: 'One Stripe account. Several webhook secrets, comma-separated, are all accepted; pull needs none.',
    names: ['STRIPE_API_KEY', 'STRIPE_API_BASE', 'STRIPE_WEBHOOK_SECRETS', 'STRIPE_DELIVERY'],
  },
  {
    says: 'One FileMaker file. The account needs the extended privilege fmrest.',
    names: ['FILEMAKER_URL', 'FILEMAKER_DATABASE', 'FILEMAKER_USERNAME', 'FILEMAKER_PASSWORD', 'FILEMAKER_CA_FILE'],
  },
  {
    says: 'Sessions the bridge may hold, all processes together. Leave the rest of the licence to people.',
    names: ['FILEMAKER_MAX_SESSIONS'],
  },
  {
    says: "Set: the scripts speak the kit's contract, and this layout shows their log. Unset: they are plain.",
    names: ['FILEMAKER_LOG_LAYOUT'],
  },
  {
    says: 'Payloads go as records of this layout. Unset: in the address of the script call, where most carts of two lines or more do not fit.',
    names: ['FILEMAKER_HANDOFF_LAYOUT'],
  },
  {
    says: 'Seals FileMaker session tokens in the database. To change it, put the new one before the old one and a comma.',
    names: ['FILEMAKER_TOKEN_KEY'],
  },
  { says: 'Which script runs for what.', names: ['BRIDGE_CONFIG'] },
];

/** `.env` as text. `values` may hold more than the parts name: the rest stands at the end. */
export function composeEnvironment(values: Readonly<Record<string, string>>): string {
  const left = new Map(Object.entries(values));
  const lines = [
    '# Settings of the bridge, read by ./bridge in this folder and, as an EnvironmentFile, by systemd. Holds secrets.',
    '# What else can be set: docs/configuration.md',
  ];
  const take = (name: string): string[] =>
    [name, `${name}_FILE`].flatMap((form) => {
      const value = left.get(form);
      left.delete(form);
      return value === undefined ? [] : [environmentLine(form, value)];
    });
  for (const { says, names } of parts) {
    const taken = names.flatMap(take);
    if (taken.length > 0) lines.push('', `# ${says}`, ...taken);
  }
  if (left.size > 0) {
    lines.push('', '# Kept from the file that was here before.');
    for (const [name, value] of left) lines.push(environmentLine(name, value));
  }
  return `${lines.join('\n')}\n`;
}

export interface PaidScript {
  readonly layout: string;
  readonly script: string;
}

/** `bridge.yaml` as text. JSON strings are YAML strings, whatever a name holds. */
export function composeBridgeFile(paid: PaidScript, schemaPath: string | undefined): string {
  const schema = schemaPath === undefined ? '' : `# yaml-language-server: $schema=${schemaPath}\n`;
  return `${schema}# Which FileMaker script runs for what happened at Stripe. A commented sample with every key: docs/bridge.sample.yaml
invoices:
  facts:
    # A Checkout Session or Payment Link is paid.
    paid:
      layout: ${JSON.stringify(paid.layout)}
      script: ${JSON.stringify(paid.script)}
    # Refunds, disputes and failed bank debits are recorded; a script of their own runs when it is named here:
    # refunded: { script: STRIPE_REFUND }
    # disputed: { script: STRIPE_DISPUTE }
    # payment_failed: { script: STRIPE_PAYMENT_FAILED }
  # A second payment for an invoice: park waits for a person, allow runs the script again.
  instalments: park
`;
}
