// docs/configuration.md, docs/bridge.schema.json and docs/bridge.sample.yaml against the code they describe.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { bridgeFileSchema, parseBridgeFile } from './bridge-file';
import { loadConfig } from './load-config';
import { variables } from './variables';

const generator = require('../../../tooling/generate-configuration.cjs');

const docs = join(__dirname, '../../../docs');
const committed = (name: string): string => readFileSync(join(docs, name), 'utf8');
const schema = generator.schemaOf({ z, bridgeFileSchema });
const samplePath = join(docs, 'bridge.sample.yaml');

/** Every path of keys in a plain object; the entries of a list stand under `list[]`. */
function keyPaths(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  if (Array.isArray(value)) return value.flatMap((entry: unknown) => keyPaths(entry, `${path}[]`));
  return Object.entries(value).flatMap(([name, child]) => keyPaths(child, path === '' ? name : `${path}.${name}`));
}

test('configuration.md is what the generator makes of the variables (npx node tooling/generate-configuration.cjs)', () => {
  expect(committed('configuration.md')).toBe(generator.configurationPage({ variables, schema }));
});

test('configuration.md has one row for every variable, and names the secret ones as secret', () => {
  const rows = committed('configuration.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  for (const { name, secret } of variables) {
    const own = rows.filter((row) => row.startsWith(`| \`${name}\``));
    expect([name, own.length, own[0]?.includes('<br>_secret_')]).toEqual([name, 1, secret]);
  }
});

test('no cell of configuration.md is what JavaScript makes of an object', () => {
  expect(committed('configuration.md')).not.toMatch(/\[object|undefined|NaN/);
});

test('every section of configuration.md begins at a variable that is there', () => {
  const names = new Set<string>(variables.map(({ name }) => name));
  expect(generator.sections.filter(([name]: [string]) => !names.has(name))).toEqual([]);
});

test('bridge.schema.json is the schema of the check (npx node tooling/generate-configuration.cjs)', () => {
  expect(JSON.parse(committed('bridge.schema.json'))).toEqual(JSON.parse(JSON.stringify(schema)));
});

test('bridge.sample.yaml is accepted, and an app that is given it runs what it says', () => {
  const parsed = parseBridgeFile(committed('bridge.sample.yaml'));
  expect(parsed).not.toHaveProperty('faults');
  const { invoices, windows } = loadConfig('cli', {
    DATABASE_URL: 'postgresql://localhost/x',
    BRIDGE_CONFIG: samplePath,
  });
  expect(invoices.facts.refunded).toEqual({
    layout: 'web_invoices',
    script: 'STRIPE_REFUND',
    contract: 'plain',
    probe: undefined,
  });
  expect(invoices.facts.paid.probe?.match).toBe('checkout_session_id');
  expect(invoices.payload.shipping_item.name).toBe('Shipping and handling');
  expect(windows).toEqual([
    { scope: 'filemaker', days: [6], fromMinute: 1_410, toMinute: 75, timeZone: 'UTC', why: 'weekly backup' },
  ]);
});

test('bridge.sample.yaml shows every key there is, the probe and the texts of a fact once', () => {
  const parsed = parseBridgeFile(committed('bridge.sample.yaml'));
  // A key whose entries are named freely is shown by any of them.
  const shown = new Set(
    'file' in parsed ? keyPaths(parsed.file).flatMap((path) => [path, path.replace(/\.[^.]+$/, '')]) : [],
  );
  interface Node {
    properties?: Record<string, Node>;
    items?: Node;
  }
  const known = (node: Node, path = ''): string[] => {
    if (node.items !== undefined) return known(node.items, `${path}[]`);
    if (node.properties === undefined) return [path];
    return Object.entries(node.properties).flatMap(([name, child]) =>
      known(child, path === '' ? name : `${path}.${name}`),
    );
  };
  const repeated = /^invoices\.facts\.(refunded|disputed|payment_failed)\.(layout|contract|probe\.)/;
  expect(known(schema).filter((path) => !shown.has(path) && !repeated.test(path))).toEqual([]);
});
