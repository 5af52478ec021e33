import { randomBytes } from 'node:crypto';

/** Only these reach a child: whatever else the shell has set (DATABASE_URL, STRIPE_…, NODE_OPTIONS) stays outside. */
const inheritedNames = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TERM'];

export function inheritedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(inheritedNames.filter((name) => env[name]).map((name) => [name, env[name]]));
}

export interface Peers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly stripeUrl: string;
  readonly filemakerUrl: string;
}

/** Made anew at every start; nothing outside this machine knows them. */
export interface Secrets {
  readonly stripeKey: string;
  readonly webhookSecret: string;
  readonly tokenKey: string;
  readonly operator: { readonly name: string; readonly password: string };
}

export function makeSecrets(): Secrets {
  return {
    stripeKey: `sk_test_${randomBytes(12).toString('hex')}`,
    webhookSecret: `whsec_${randomBytes(16).toString('hex')}`,
    tokenKey: randomBytes(32).toString('base64'),
    operator: { name: 'demo', password: randomBytes(6).toString('hex') },
  };
}

/** What a person would write down to run the bridge against these peers; the same for the apps and the command line. */
export function bridgeSettings(peers: Peers, secrets: Secrets, consoleAdmin: string): Record<string, string> {
  return {
    DATABASE_URL: peers.databaseUrl,
    REDIS_URL: peers.redisUrl,
    STRIPE_API_BASE: peers.stripeUrl,
    STRIPE_API_KEY: secrets.stripeKey,
    STRIPE_WEBHOOK_SECRETS: secrets.webhookSecret,
    FILEMAKER_URL: peers.filemakerUrl,
    FILEMAKER_DATABASE: 'Shop',
    FILEMAKER_USERNAME: 'bridge',
    FILEMAKER_PASSWORD: 'bridge',
    FILEMAKER_LAYOUT: 'web_invoices',
    FILEMAKER_SCRIPT: 'STRIPE_PAYMENTLINK_SUCCESS',
    FILEMAKER_LOG_LAYOUT: 'bridge_log',
    FILEMAKER_TOKEN_KEY: secrets.tokenKey,
    CONSOLE_ADMIN: consoleAdmin,
  };
}

/** The settings for a shell: `. .bridge/demo.env` and then `./bridge status`. */
export function shellSettings(settings: Record<string, string>): string {
  const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(settings).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return `# The running demo's settings; the file goes when the demo ends.\n${lines.join('\n')}\n`;
}
