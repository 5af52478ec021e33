import { claimsMigrations, registerWorker, type WorkerRegistration } from '@bridge/claims';
import { createDatabase, type Database, migrate } from '@bridge/database';
import { createTestDatabase } from '@bridge/test-services';
import type { EffectPlan } from '../src/effect';
import { createEffectStore, type EffectStore } from '../src/effect-store';
import { effectsMigrations } from '../src/migrations';

/** A database with the tables of claims and effects, the store on it, and a worker that lives until `end`. */
export interface EffectsStand {
  database: Database;
  store: EffectStore;
  worker: WorkerRegistration;
  end(): Promise<void>;
}

export async function startEffectsStand(): Promise<EffectsStand> {
  const created = await createTestDatabase();
  await migrate(created.url, [claimsMigrations, effectsMigrations]);
  const database = createDatabase({ url: created.url, poolMax: 10, applicationName: 'effects-test' });
  const worker = await registerWorker(database, { app: 'test' });
  return {
    database,
    store: createEffectStore(database),
    worker,
    end: async () => {
      await worker.stop();
      await database.close();
      await created.drop();
    },
  };
}

let sequence = 0;
/** What a flow would plan: each call is another payment of another invoice. */
export function planOf(rest: Partial<EffectPlan> = {}): EffectPlan {
  sequence += 1;
  return {
    kind: 'test',
    flow: 'invoices',
    key: `invoice-paid:cs_${sequence}`,
    lane: `invoice:${sequence}`,
    title: `Mark invoice ${sequence} paid`,
    target: {},
    body: `{"n":${sequence}}`,
    subject: { checkoutSessionId: `cs_${sequence}`, invoiceId: String(sequence) },
    origin: 'webhook',
    checkFirst: false,
    ...rest,
  };
}
