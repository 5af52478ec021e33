import { loadConfig } from '@bridge/config';
import { runApp } from '@bridge/observability';
import { startWorker } from './create-worker';

void runApp({
  name: 'worker',
  configure: () => loadConfig('worker'),
  start: ({ config, logger }) => startWorker(config, logger),
});
