import { readFileSync } from 'node:fs';
import { type Arguments, UsageError } from './arguments';
import { inOtherCase } from './filemaker/filemaker-secrets';
import { filemakerSuite } from './filemaker/filemaker-suite';
import { createHttpTransport, type HttpTarget } from './http-transport';
import { type PlannedCase, planRun, sayPlan, unknownCases } from './plan';
import { createRealStage, type Operator } from './real-stage';
import { createRecorder } from './record';
import type { CaseResult } from './run-case';
import { type Report, runSuite } from './run-suite';
import { stripeSuite } from './stripe/stripe-suite';
import type { Suite } from './suite';
import type { RunVariables } from './transport';
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver';

const STRIPE = 'https://api.stripe.com';
const ANSWER_MS = 180_000;
/** Above the pause of `verySlowScript`. */
const SLOW_ANSWER_MS = 1_800_000;

export interface ServerRun {
  readonly given: Arguments;
  readonly secrets: RunVariables['secrets'];
  readonly run: string;
  readonly operator: Operator;
  readonly record: ((line: string) => void) | undefined;
  readonly onCase: (result: CaseResult) => void;
  readonly isStopped: () => boolean;
}

export function suiteOf(service: Arguments['service']): Suite {
  return service === 'filemaker' ? filemakerSuite : stripeSuite;
}

/** Plays what is allowed against a real server, after saying what that is; null when only the plan was asked for. */
export async function playServer(parts: ServerRun): Promise<Report | null> {
  const { given, secrets, run, operator } = parts;
  const suite = suiteOf(given.service);
  const url = checkedUrl(given);
  const open = { ...variablesOf(given), run };
  const plan = planOf(given, suite, [...Object.keys(open), ...Object.keys(secrets)]);
  operator.tell(sayPlan(plan, open));
  if (given.planOnly) return null;
  const receiver = given.receiverPort === undefined ? undefined : await startWebhookReceiver(given.receiverPort);
  try {
    const ca = given.caFile === undefined ? undefined : readFileSync(given.caFile, 'utf8');
    const timeoutMs = ANSWER_MS + Number(given.given.slowSeconds ?? 0) * 1_000;
    const longest = given.given.verySlowScript === undefined ? timeoutMs : SLOW_ANSWER_MS;
    const http = createHttpTransport({ url, suite, ca, timeoutMs: longest, receive: receiving(receiver) });
    return await runSuite({
      suite,
      against: new URL(url).host,
      plan,
      transport: parts.record === undefined ? http : createRecorder(http, suite, { open, secrets }, parts.record),
      stage: createRealStage(suite, operator),
      variables: { ...open, ...secrets },
      onCase: parts.onCase,
      isStopped: parts.isStopped,
    });
  } finally {
    await receiver?.close();
  }
}

function planOf(given: Arguments, suite: Suite, known: readonly string[]): PlannedCase[] {
  const [stranger] = unknownCases(suite, given);
  if (stranger !== undefined) throw new UsageError(`there is no case ${stranger}`);
  return planRun(suite, { ...given, known });
}

function variablesOf({ service, database, given, receiverPort }: Arguments): Record<string, string> {
  if (service === 'filemaker') {
    if (database === undefined) throw new UsageError('--database is missing');
    return { ...given, database, databaseInOtherCase: inOtherCase(database) };
  }
  if ((given.receiverUrl === undefined) !== (receiverPort === undefined))
    throw new UsageError('--with receiverUrl=… and --receiver-port belong together');
  return { ...given };
}

/** Credentials go over TLS only, except to this machine. */
function checkedUrl({ service, url = service === 'stripe' ? STRIPE : undefined }: Arguments): string {
  if (url === undefined) throw new UsageError('--url is missing');
  if (!URL.canParse(url)) throw new UsageError(`--url is no address: ${url}`);
  const { protocol, hostname, username } = new URL(url);
  if (username !== '') throw new UsageError('credentials do not belong into --url');
  const isHere = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  if (protocol !== 'https:' && !isHere) throw new UsageError('--url must begin with https://');
  return url;
}

function receiving(receiver: WebhookReceiver | undefined): HttpTarget['receive'] {
  if (receiver === undefined) return undefined;
  return (step, now) => receiver.receive(step, now, step.withinMinutes * 60_000);
}
