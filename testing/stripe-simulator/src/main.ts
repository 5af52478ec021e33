import { parseArgs } from 'node:util';
import { settingsFromEnvironment } from './settings';
import { createStripeSimulator } from './simulator';

const HELP = `A simulated Stripe: API under /v1, signed webhooks, control API under /_simulator.

Usage: node testing/stripe-simulator/dist/main.js [--port N] [--host H] [--webhook-url URL] [--help]

Environment: PORT (0 takes a free one), HOST, STRIPE_SIMULATOR_KEY, STRIPE_SIMULATOR_WEBHOOK_SECRET,
STRIPE_SIMULATOR_WEBHOOK_URL, STRIPE_SIMULATOR_API_VERSION, STRIPE_SIMULATOR_SEED.
The first line on stdout says where it listens: {"simulator":"stripe","url":"http://127.0.0.1:12111"}`;

const EXIT_WRONG_USAGE = 2;
/** What the sources use is in no older one. */
const OLDEST_NODE = 22;

async function main(): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new Error(`The simulator needs Node ${OLDEST_NODE} or newer; this is ${process.versions.node}.`);
  }
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      port: { type: 'string' },
      host: { type: 'string' },
      'webhook-url': { type: 'string' },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return;
  }
  const environment = { ...process.env };
  if (values.port !== undefined) environment.PORT = values.port;
  if (values.host !== undefined) environment.HOST = values.host;
  if (values['webhook-url'] !== undefined) environment.STRIPE_SIMULATOR_WEBHOOK_URL = values['webhook-url'];
  const simulator = createStripeSimulator(settingsFromEnvironment(environment));
  const stop = () => {
    simulator.close().then(
      () => process.exit(0),
      (fault: unknown) => fail(fault, 1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const { url } = await simulator.listen();
  console.log(JSON.stringify({ simulator: 'stripe', url }));
}

function fail(fault: unknown, code: number): void {
  console.error(`stripe-simulator: ${fault instanceof Error ? fault.message : String(fault)}`);
  process.exit(code);
}

main().catch((fault: unknown) => fail(fault, EXIT_WRONG_USAGE));
