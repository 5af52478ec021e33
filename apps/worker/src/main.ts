import { onSuitableNode } from '@bridge/node-runtime';

onSuitableNode(() => import('./run.js'));
