/**
 * Loaded into a worker by NODE_OPTIONS: prints a line for each call to FileMaker as it is made. A closed port keeps no
 * books, so how often the bridge knocks while FileMaker is away is counted on the bridge's side.
 */
import { subscribe } from 'node:diagnostics_channel';

const origin = new URL(process.env.FILEMAKER_URL ?? 'http://127.0.0.1').origin;

subscribe('undici:request:create', (message) => {
  const { request } = message as { request: { origin?: unknown } };
  if (String(request.origin) === origin) process.stdout.write(`{"calledFileMaker":${Date.now()}}\n`);
});
