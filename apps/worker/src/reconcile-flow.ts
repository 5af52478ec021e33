import type { WorkerRegistration } from '@bridge/claims';
import type { Database } from '@bridge/database';
import type { BoundFlow } from '@bridge/flow';
import type { Inbox } from '@bridge/inbox';

/** A Session lives 24 h at most before it is paid; two more for what was late. */
const LOOK_BACK_MS = 26 * 3_600_000;
/** The newest seconds belong to the webhook, which is on its way. */
const LEAVE_TO_WEBHOOKS_MS = 60_000;

export interface ReconcileOptions {
  database: Database;
  inbox: Inbox;
  flows: readonly BoundFlow[];
  registration: WorkerRegistration;
  /** Money from before is reported by other means and never acted on here. */
  from: Date;
  now?: () => Date;
}

/**
 * One pass of a flow's recovery path. What it finds becomes an inbox row and goes the same road as a webhook; what an
 * earlier pass has recorded is counted as found and not recorded again.
 * Undefined: another process is at it.
 */
export async function reconcileFlow(
  name: string,
  options: ReconcileOptions,
): Promise<{ found: number; recorded: number } | undefined> {
  const flow = options.flows.find((one) => one.name === name);
  if (flow === undefined) return { found: 0, recorded: 0 };
  const duty = `reconcile:${name}`;
  if (!(await options.registration.takeDuty(duty))) return undefined;
  try {
    const now = (options.now?.() ?? new Date()).getTime();
    const since = new Date(Math.max(options.from.getTime(), now - LOOK_BACK_MS));
    const until = new Date(now - LEAVE_TO_WEBHOOKS_MS);
    let found = 0;
    let recorded = 0;
    if (since >= until) return { found, recorded };
    for await (const finding of flow.reconcile({ since, until }, options.database.executor)) {
      // It is on its way already: the event about it waits to be worked on.
      if (await options.inbox.hasUnfinished(finding.objectId)) continue;
      const { replay } = finding;
      const body = {
        id: replay.eventId,
        object: 'event',
        type: replay.eventType,
        livemode: replay.livemode,
        data: { object: replay.object },
      };
      const [stored] = await options.inbox.record([
        {
          source: 'reconciliation',
          peer: 'bridge',
          eventId: replay.eventId,
          eventType: replay.eventType,
          account: null,
          livemode: replay.livemode,
          apiVersion: null,
          objectId: finding.objectId,
          eventCreatedAt: replay.createdAt,
          body: Buffer.from(JSON.stringify(body), 'utf8'),
          ignoredBecause: null,
        },
      ]);
      found += 1;
      if (stored?.outcome === 'new') recorded += 1;
    }
    return { found, recorded };
  } finally {
    await options.registration.dropDuty(duty);
  }
}
