export { createLogger, type Logger, type LogLevel } from './create-logger';
export { type Collect, createMetrics, type Metrics, type Sample } from './create-metrics';
export { createOpsServer, type OpsServer, type OpsServerOptions, type Readiness } from './create-ops-server';
export { createHttpListener, type HttpListener } from './http-listener';
export { rateLimitedLog } from './rate-limited-log';
export { type AppConfig, type RunningApp, runApp } from './run-app';
