import type { Database } from '@bridge/database';
import { readInstallation } from '@bridge/installation';
import { createProducer, type JobData, queuePrefix } from '@bridge/jobs';

/** Asks for one round now, which would come by the clock. Resolves when the job is in the queue. */
export async function askForRound(
  on: { database: Database; redisUrl: string },
  task: JobData<'rounds'>['task'],
): Promise<void> {
  const { id } = await readInstallation(on.database);
  const producer = createProducer({ redisUrl: on.redisUrl, prefix: queuePrefix('bridge', id) });
  try {
    if (!producer.ready()) await new Promise((resolve) => producer.redis.once('ready', resolve));
    await producer.enqueue([{ queue: 'rounds', id: `asked-${task}-${Date.now()}`, data: { task } }]);
  } finally {
    await producer.close();
  }
}
