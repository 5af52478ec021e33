import type { Risk } from './contract-case';
import { filemakerSecrets } from './filemaker/filemaker-secrets';
import { filemakerSuite } from './filemaker/filemaker-suite';
import { createFileMakerSimulatorStage, simulatorVariables } from './filemaker/simulator-stage';
import { createHttpTransport, type HttpTarget } from './http-transport';
import { planRun } from './plan';
import { createRecorder } from './record';
import type { CaseResult } from './run-case';
import { type Report, runSuite } from './run-suite';
import { createControl } from './simulator-control';
import type { Stage } from './stage';
import { createStripeSimulatorStage } from './stripe/simulator-stage';
import { stripeSecrets } from './stripe/stripe-secrets';
import { stripeSuite } from './stripe/stripe-suite';
import type { Suite } from './suite';
import type { RunVariables } from './transport';
import { startWebhookReceiver } from './webhook-receiver';

/** A simulator may be treated in any way. */
export const ALL_RISKS: ReadonlySet<Risk> = new Set(['write', 'script', 'capacity', 'lockout', 'waiting', 'operator']);

const ANSWER_MS = 20_000;
const DELIVERY_MS = 15_000;

export interface SimulatorRun {
  readonly url: string;
  readonly run: string;
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  /** Takes the lines of a recording. */
  readonly record?: ((line: string) => void) | undefined;
  readonly onCase?: (result: CaseResult) => void;
}

/** Plays the suite against a FileMaker simulator. Resets it before each case. */
export function playFileMakerSimulator(given: SimulatorRun): Promise<Report> {
  const secrets = filemakerSecrets('bridge', 'bridge', given.run);
  const stage = createFileMakerSimulatorStage(createControl(given.url));
  return play(given, filemakerSuite, stage, { open: { ...simulatorVariables, run: given.run }, secrets });
}

/** Plays the suite against a Stripe simulator. Resets it before each case. `apiKey`: the key that it accepts. */
export async function playStripeSimulator(given: SimulatorRun, apiKey = 'sk_test_simulator'): Promise<Report> {
  const receiver = await startWebhookReceiver(0);
  try {
    const restrictedKey = 'rk_test_contracts';
    const stage = createStripeSimulatorStage(createControl(given.url), restrictedKey);
    const open = { run: given.run, receiverUrl: `http://127.0.0.1:${receiver.port}/` };
    const receive: HttpTarget['receive'] = (step, now) => receiver.receive(step, now, DELIVERY_MS);
    return await play(given, stripeSuite, stage, { open, secrets: stripeSecrets(apiKey, restrictedKey) }, receive);
  } finally {
    await receiver.close();
  }
}

function play(
  { url, only = [], skip = [], record, onCase }: SimulatorRun,
  suite: Suite,
  stage: Stage,
  variables: RunVariables,
  receive?: HttpTarget['receive'],
): Promise<Report> {
  const { open, secrets } = variables;
  const http = createHttpTransport({ url, suite, timeoutMs: ANSWER_MS, receive });
  const known = [...Object.keys(open), ...Object.keys(secrets)];
  return runSuite({
    suite,
    against: url,
    plan: planRun(suite, { allowed: ALL_RISKS, only, skip, known }),
    transport: record === undefined ? http : createRecorder(http, suite, variables, record),
    stage,
    variables: { ...open, ...secrets },
    ...(onCase === undefined ? {} : { onCase }),
  });
}
