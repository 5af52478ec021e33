import { runbookOf } from '../runbooks/runbooks';
import { BRIDGE_VERSION } from '../version';
import { collectConfiguration, judgeConfiguration } from './configuration';
import { applyEndpointFix, type EndpointFix, type EndpointFixed } from './endpoint-fix';
import type { SectionName } from './fault';
import { type DoctorOptions, type Examination, openDatabase, type WithDatabase } from './looks/examination';
import { lookAtClocks } from './looks/look-at-clocks';
import { lookAtFileMakerDoor, lookAtFileMakerServer } from './looks/look-at-filemaker';
import { lookAtPostgresql, readOwnInstallation } from './looks/look-at-postgresql';
import { lookAtRedis, openRedis } from './looks/look-at-redis';
import { lookAtStripeKey, lookAtWebhook } from './looks/look-at-stripe';
import { lookAtWork } from './looks/look-at-work';
import { composeReport, type DoctorReport, type Looked, lookWithin } from './report';
import { judgeSoundness, type Soundness } from './soundness';

/** For one section. FileMaker's asks a dozen questions, one after the other. */
const SECTION_MS = 30_000;
const FILEMAKER_MS = 90_000;

/**
 * Looks at everything that the bridge needs to work, section by section and side by side. Changes nothing, but for the two
 * rows that the FileMaker check leaves. Every question is bounded in time, and a section that fails hides no other; a
 * fault of the configuration hides only what cannot be looked at without the setting.
 */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const at = new Date();
  const { facts, config, sound } = readSettings(options);
  const looked = new Map<SectionName, Looked>([['configuration', judgeConfiguration(facts)]]);
  const database = sound.hindrance('postgresql') === undefined ? openDatabase(config) : undefined;
  try {
    const { sections, fix } = await lookAtAll({ options, config, sound, at, database });
    for (const [name, found] of sections) looked.set(name, found);
    return composeReport({ at, version: BRIDGE_VERSION, looked, fix, runbookOf });
  } finally {
    await database?.close();
  }
}

/** Does what `report.fix` says. The act stands in the audit table. */
export async function fixEndpoint(options: DoctorOptions, fix: EndpointFix, by: string): Promise<EndpointFixed> {
  const { config, sound } = readSettings(options);
  const hindrance = sound.hindrance('webhook');
  if (hindrance !== undefined) return { kind: 'refused', code: 'CONFIGURATION_FAULTY', reason: `${hindrance}.` };
  const { apiKey, apiBase } = config.stripe;
  if (apiKey === undefined) return { kind: 'refused', code: 'STRIPE_KEY_UNSET', reason: 'STRIPE_API_KEY is not set.' };
  const database = openDatabase(config);
  try {
    return await applyEndpointFix(database, { apiKey, apiBase }, fix, by);
  } finally {
    await database.close();
  }
}

/** `config` is what is sound, and `sound` says what must not be looked at by it. */
function readSettings(options: DoctorOptions): ReturnType<typeof collectConfiguration> & { sound: Soundness } {
  const knownFlows = options.flows.map(({ name }) => name);
  const read = collectConfiguration({ ...options, knownFlows });
  const faulty = read.facts.faults.map(({ variable }) => variable);
  // The address on the command line goes before the one in the settings.
  const inTheWay = options.webhookUrl === undefined ? faulty : faulty.filter((name) => name !== 'STRIPE_WEBHOOK_URL');
  return { ...read, sound: judgeSoundness(inTheWay) };
}

/** What keeps the key from being looked at keeps the endpoint too; it is a fault once. */
function toldOnce(key: Looked, webhook: Looked): Looked {
  if ('notChecked' in key || 'notChecked' in webhook) return webhook;
  const unheard = key.faults.some(({ code }) => code === 'STRIPE_AWAY' || code === 'STRIPE_KEY_REFUSED');
  const unanswered = webhook.faults.every(({ code }) => code === 'CHECK_NOT_ANSWERED') && webhook.faults.length > 0;
  return unheard && unanswered ? { notChecked: webhook.detail } : webhook;
}

const hasDatabase = (examination: Examination): examination is WithDatabase => examination.database !== undefined;

/** PostgreSQL first, since it says whose database it is; then all others beside each other. */
async function lookAtAll(
  examination: Examination,
): Promise<{ sections: [SectionName, Looked][]; fix: EndpointFix | null }> {
  const { sound } = examination;
  const withDatabase = hasDatabase(examination) ? examination : undefined;
  const reached: Looked =
    withDatabase === undefined
      ? { notChecked: sound.hindrance('postgresql') ?? 'DATABASE_URL is not set here' }
      : await lookWithin(SECTION_MS, () => lookAtPostgresql(withDatabase));
  const installation =
    withDatabase === undefined || 'notChecked' in reached ? undefined : await readOwnInstallation(withDatabase);
  const redis = sound.hindrance('redis') === undefined ? openRedis(examination.config, installation) : undefined;
  let fix: EndpointFix | null = null;
  const look = async (
    section: Parameters<Soundness['hindrance']>[0],
    ms: number,
    work: () => Promise<Looked>,
  ): Promise<Looked> => {
    const hindrance = sound.hindrance(section);
    return hindrance === undefined ? lookWithin(ms, work) : { notChecked: hindrance };
  };
  const without: Looked = { notChecked: 'PostgreSQL has no tables of ours to look into' };
  const ours = withDatabase === undefined || installation === undefined ? undefined : { withDatabase, installation };
  try {
    const [redisLooked, clock, stripe, webhook, filemaker, work] = await Promise.all([
      look('redis', SECTION_MS, () => lookAtRedis(redis)),
      lookWithin(SECTION_MS, () => lookAtClocks(examination, redis)),
      look('stripe', SECTION_MS, () => lookAtStripeKey(examination, installation)),
      look('webhook', SECTION_MS, async () =>
        ours === undefined
          ? without
          : lookAtWebhook(ours.withDatabase, ours.installation, (planned) => {
              fix = planned;
            }),
      ),
      look('filemaker', FILEMAKER_MS, () =>
        ours === undefined ? lookAtFileMakerDoor(examination) : lookAtFileMakerServer(ours.withDatabase),
      ),
      look('work', SECTION_MS, async () => (ours === undefined ? without : lookAtWork(ours.withDatabase, redis))),
    ]);
    return {
      sections: [
        ['postgresql', reached],
        ['redis', redisLooked],
        ['clock', clock],
        ['stripe', stripe],
        ['webhook', toldOnce(stripe, webhook)],
        ['filemaker', filemaker],
        ['work', work],
      ],
      fix,
    };
  } finally {
    await redis?.producer.close();
  }
}
