import { loadConfig } from '@bridge/config';
import { flowNames } from '@bridge/flows';
import { runApp } from '@bridge/observability';
import { startIngress } from './start-ingress';

void runApp({
  name: 'ingress',
  configure: () => loadConfig('ingress', process.env, { knownFlows: flowNames }),
  start: startIngress,
});
