import { runApp } from '@bridge/observability';
import { configureScheduler } from './configure-scheduler';
import { startScheduler } from './start-scheduler';

void runApp({ name: 'scheduler', configure: () => configureScheduler(), start: startScheduler });
