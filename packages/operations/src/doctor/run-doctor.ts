import { type Config, ConfigurationError, loadConfig } from '@bridge/config';
import { runbookOf } from '../runbooks/runbooks';
import { BRIDGE_VERSION } from '../version';
import { collectConfiguration, judgeConfiguration } from './configuration';
import { applyEndpointFix, type EndpointFix, type EndpointFixed } from './endpoint-fix';
import type { SectionName } from './fault';
import { type DoctorOptions, type Examination, openDatabase } from './looks/examination';
import { lookAtClocks } from './looks/look-at-clocks';
import { lookAtFileMakerServer } from './looks/look-at-filemaker';
import { lookAtPostgresql, readOwnInstallation } from './looks/look-at-postgresql';
import { lookAtRedis, openRedis } from './looks/look-at-redis';
import { lookAtStripeKey, lookAtWebhook } from './looks/look-at-stripe';
import { lookAtWork } from './looks/look-at-work';
import { composeReport, type DoctorReport, type Looked, lookWithin } from './report';

/** For one section. FileMaker's asks a dozen questions, one after the other. */
const SECTION_MS = 30_000;
const FILEMAKER_MS = 90_000;

/**
 * Looks at everything that the bridge needs to work, section by section and side by side. Changes nothing, but for the two
 * rows that the FileMaker check leaves. Every question is bounded in time, and a section that fails hides no other.
 */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const at = new Date();
  const config = readConfig(options);
  const knownFlows = options.flows.map(({ name }) => name);
  const looked = new Map<SectionName, Looked>([
    ['configuration', judgeConfiguration(collectConfiguration({ ...options, knownFlows }))],
  ]);
  if (config === undefined) return composeReport({ at, version: BRIDGE_VERSION, looked, fix: null, runbookOf });
  const database = openDatabase(config);
  try {
    const { sections, fix } = await lookAtAll({ options, config, at, database });
    for (const [name, found] of sections) looked.set(name, found);
    return composeReport({ at, version: BRIDGE_VERSION, looked, fix, runbookOf });
  } finally {
    await database.close();
  }
}

/** Does what `report.fix` says. The act stands in the audit table. */
export async function fixEndpoint(options: DoctorOptions, fix: EndpointFix, by: string): Promise<EndpointFixed> {
  const config = loadConfig('cli', options.env);
  const { apiKey, apiBase } = config.stripe;
  if (apiKey === undefined) return { kind: 'refused', code: 'STRIPE_KEY_UNSET', reason: 'STRIPE_API_KEY is not set.' };
  const database = openDatabase(config);
  try {
    return await applyEndpointFix(database, { apiKey, apiBase }, fix, by);
  } finally {
    await database.close();
  }
}

/** Undefined where it has faults: they are told as such, and nothing else can be looked at. */
function readConfig({ env }: DoctorOptions): Config | undefined {
  try {
    return loadConfig('cli', env);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** PostgreSQL first, since it says whose database it is; then all others beside each other. */
async function lookAtAll(
  examination: Examination,
): Promise<{ sections: [SectionName, Looked][]; fix: EndpointFix | null }> {
  const reached = await lookWithin(SECTION_MS, () => lookAtPostgresql(examination));
  const installation = 'notChecked' in reached ? undefined : await readOwnInstallation(examination);
  const redis = openRedis(examination.config, installation);
  let fix: EndpointFix | null = null;
  const without: Looked = { notChecked: 'PostgreSQL has no tables of ours to look into' };
  const withTables = async (ms: number, work: () => Promise<Looked>): Promise<Looked> =>
    installation === undefined ? without : lookWithin(ms, work);
  try {
    const [redisLooked, clock, stripe, webhook, filemaker, work] = await Promise.all([
      lookWithin(SECTION_MS, () => lookAtRedis(redis)),
      lookWithin(SECTION_MS, () => lookAtClocks(examination, redis)),
      lookWithin(SECTION_MS, () => lookAtStripeKey(examination, installation)),
      installation === undefined
        ? without
        : lookWithin(SECTION_MS, () =>
            lookAtWebhook(examination, installation, (planned) => {
              fix = planned;
            }),
          ),
      withTables(FILEMAKER_MS, () => lookAtFileMakerServer(examination)),
      withTables(SECTION_MS, () => lookAtWork(examination, redis)),
    ]);
    return {
      sections: [
        ['postgresql', reached],
        ['redis', redisLooked],
        ['clock', clock],
        ['stripe', stripe],
        ['webhook', webhook],
        ['filemaker', filemaker],
        ['work', work],
      ],
      fix,
    };
  } finally {
    await redis?.producer.close();
  }
}
