export { createLogger, type Logger, type LogLevel } from './create-logger';
export { type Collect, createMetrics, type Metrics, type Sample } from './create-metrics';
export { createOpsServer, type OpsServer, type OpsServerOptions, type Readiness, urlOf } from './create-ops-server';
export { rateLimitedLog } from './rate-limited-log';
export { redactText } from './redact';
export { type AppConfig, type RunningApp, runApp } from './run-app';
