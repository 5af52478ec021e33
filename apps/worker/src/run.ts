import { loadConfig } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { runApp } from '@bridge/observability';
import { startWorker } from './create-worker';

void runApp({
  name: 'worker',
  configure: () => loadConfig('worker', process.env, { knownFlows: flowNames }),
  start: ({ config, logger }) => startWorker(config, logger),
});
