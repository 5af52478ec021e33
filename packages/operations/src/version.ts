import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({ version: z.string() });

/** Of the whole bridge: its packages are released together. */
export const BRIDGE_VERSION = manifest.parse(
  JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')),
).version;
