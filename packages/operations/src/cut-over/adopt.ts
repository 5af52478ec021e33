import type { Database } from '@bridge/database';
import { createEffectStore } from '@bridge/effects';
import { createInbox } from '@bridge/inbox';
import { adoptPeers } from '@bridge/installation';
import { auditedTransaction } from '../audit/audit';
import type { Asked } from '../resolve/resolve-effect';
import { readPeerFingerprint } from '../tables/read-processes';

/** What this database belongs to now, and what would meet another peer. */
export interface AdoptionPlan {
  /** Which peers it knows: another one of these is refused until it is adopted. */
  known: { stripe: boolean; filemaker: boolean };
  /** Events and effects that are not finished: they would go on with the peers that are met next. */
  unfinished: { events: number; effects: number };
}

/** What adopting would change, and what is unfinished meanwhile. Changes nothing. */
export async function planAdoption(database: Database): Promise<AdoptionPlan> {
  const known = {
    stripe: (await readPeerFingerprint(database, 'stripe')) !== null,
    filemaker: (await readPeerFingerprint(database, 'filemaker')) !== null,
  };
  const { received, processing } = await createInbox(database).counts();
  const effects = (await createEffectStore(database).counts())
    .filter(({ state }) => state === 'planned' || state === 'sending' || state === 'unknown')
    .reduce((sum, { count }) => sum + count, 0);
  return { known, unfinished: { events: received + processing, effects } };
}

/** Forgets the peers: those that the workers meet next are taken as the right ones. */
export async function adopt(database: Database, { by, why }: Asked): Promise<AdoptionPlan> {
  const plan = await planAdoption(database);
  return auditedTransaction(
    database,
    { who: by, action: 'peers.adopt', object: 'installation', why },
    async (tx) => {
      await adoptPeers(tx);
      return plan;
    },
    ({ unfinished }) => ({
      outcome: 'done',
      detail: `${unfinished.events} events and ${unfinished.effects} effects were unfinished`,
    }),
  );
}
