'use strict';
// docs/configuration.md and docs/bridge.schema.json, made from @bridge/config. packages/config/src/pages.test.ts compares
// what is committed with what comes out here.
//   npx node tooling/generate-configuration.cjs
const { generatedBy, table, writePage } = require('./markdown.cjs');

const page = 'docs/configuration.md';
const schemaPage = 'docs/bridge.schema.json';

/** A section begins at the variable named, and goes on until the next one. */
const sections = [
  ['DATABASE_URL', 'PostgreSQL'],
  ['REDIS_URL', 'Redis'],
  ['NODE_ENV', 'Processes'],
  ['STRIPE_API_KEY', 'Stripe'],
  ['FILEMAKER_URL', 'FileMaker'],
  ['INVOICE_ID_KEYS', 'Invoices'],
  ['BRIDGE_CONFIG', 'The YAML file'],
  ['CONSOLE_URL', 'Status page'],
  ['API_KEYS', 'Billing API'],
  ['SMTP_URL', 'Mail and alerts'],
];

const intro = `# Configuration

Everything the bridge is told from outside: environment variables, and one YAML file that \`BRIDGE_CONFIG\` names.

- **Read once, at the start.** A change needs a restart. Every fault is named in one message, and the process ends with exit
  code 78; no message ever repeats a value.
- **Empty counts as unset.** Spaces around a value are dropped, except in passwords.
- **A secret may come from a file**: \`FILEMAKER_PASSWORD_FILE=/run/secrets/filemaker_password\` in place of
  \`FILEMAKER_PASSWORD\`. One line break at its end is dropped. Both at once is a fault. In the tables such variables are marked
  _secret_; they show as \`[secret]\` wherever the configuration is printed.
- **Each app reads only its own variables**, so a fault in \`FILEMAKER_URL\` cannot stop the ingress from taking webhooks. One
  file with all of them can be given to every app.
- **The command line** needs only \`DATABASE_URL\`. When it is not in the environment, \`./bridge\` reads \`.env\` in the current
  folder; \`./bridge up\` reads that file always, and what the environment says goes before it.
  [\`./bridge init\`](one-box.md#4-configuration) writes such a file.

The least that the three apps need: \`DATABASE_URL\`, \`REDIS_URL\`, \`STRIPE_API_KEY\`, \`STRIPE_WEBHOOK_SECRETS\`, \`FILEMAKER_URL\`,
\`FILEMAKER_DATABASE\`, \`FILEMAKER_USERNAME\`, \`FILEMAKER_PASSWORD\`, and \`FILEMAKER_TOKEN_KEY\` in production.`;

const code = (text) => `\`${text}\``;
/** Names of variables and addresses inside a sentence are set as code. */
const words = (text) => text.replace(/(?<![`\w])([A-Z]+(?:_[A-Z]+)+(?:=[^\s,;]*[^\s,;.:])?)(?![`\w])/g, '`$1`');

function defaultOf(text) {
  const plain = /^(none|the |worker|ingress|live key)/.test(text);
  return plain ? words(text.replace(/^none$/, 'unset').replace(/^none([,:])/, 'unset$1')) : code(text);
}

function readers(roles, allRoles) {
  return roles.length === allRoles.length ? 'all' : roles.join(', ');
}

function variableRow(variable, allRoles) {
  const notYet = variable.notYet === undefined ? '' : ` **${variable.notYet}**`;
  return [
    `\`${variable.name}\`${variable.secret ? '<br>_secret_' : ''}`,
    defaultOf(variable.default),
    variable.accepts,
    `${words(variable.meaning)}${notYet}`,
    readers(variable.roles, allRoles),
  ];
}

/** One row per key of the YAML file, in the order of the schema. Keys that a neighbour explained are not explained again. */
function fileRows(schema, path = '') {
  const explained = new Map();
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const here = path === '' ? name : `${path}.${name}`;
    const meaning = words(child.description ?? '');
    if (child.items?.properties !== undefined) {
      return [[code(here), 'empty', 'a list with the keys below', meaning], ...fileRows(child.items, `${here}[]`)];
    }
    const names = Object.keys(child.properties ?? {}).sort();
    if (names.length === 0) {
      const required = (schema.required ?? []).includes(name) ? ' **Required.**' : '';
      return [[code(here), keyDefault(child), keyTakes(child), `${meaning}${required}`]];
    }
    const alike = explained.get(names.join());
    if (alike === undefined) explained.set(names.join(), here);
    if (alike !== undefined) {
      const required = (child.required ?? []).map((one) => `; ${code(one)} is required`).join('');
      return [[code(here), '', `the keys of ${code(alike)}${required}`, meaning]];
    }
    return [...(meaning === '' ? [] : [[code(here), '', 'the keys below', meaning]]), ...fileRows(child, here)];
  });
}

function keyDefault({ default: byDefault }) {
  if (byDefault === undefined || Array.isArray(byDefault)) return '';
  if (byDefault === '' || Object.keys(byDefault).length === 0) return 'empty';
  return code(typeof byDefault === 'object' ? JSON.stringify(byDefault) : byDefault);
}

function keyTakes({ enum: choices, items, minLength, additionalProperties: each }) {
  if (typeof each === 'object') return `names, each with a ${keyTakes(each)}`;
  if (items?.enum !== undefined) return `list of ${keyTakes(items)}`;
  if (choices !== undefined) return choices.map(code).join(', ');
  return minLength === undefined ? 'text' : 'text, not empty';
}

/**
 * @param {{ variables: readonly any[], schema: any }} source `variables` of @bridge/config and the JSON Schema of its YAML file
 * @returns {string} docs/configuration.md
 */
function configurationPage({ variables, schema }) {
  const allRoles = [...new Set(variables.flatMap((variable) => variable.roles))];
  const starts = new Map(sections);
  const parts = [];
  for (const variable of variables) {
    const heading = starts.get(variable.name);
    if (heading !== undefined || parts.length === 0) parts.push({ heading: heading ?? 'General', rows: [] });
    parts.at(-1).rows.push(variableRow(variable, allRoles));
  }
  const headings = ['variable', 'default', 'takes', 'meaning', 'read by'];
  return [
    generatedBy('generate-configuration.cjs'),
    intro,
    ...parts.map(({ heading, rows }) => `## ${heading}\n\n${table(headings, rows)}`),
    `## Keys of the YAML file

What the file says wins over \`FILEMAKER_LAYOUT\` and \`FILEMAKER_SCRIPT\`. An unknown key is a fault, named by its path. A
[commented sample](bridge.sample.yaml) and a [JSON Schema](bridge.schema.json) for editors are beside this page; the first line
of the sample shows how an editor finds the schema.

${table(['key', 'default', 'takes', 'meaning'], fileRows(schema))}`,
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

/** The JSON Schema as it is committed. */
function schemaOf({ z, bridgeFileSchema }) {
  return {
    title: 'The file that BRIDGE_CONFIG names',
    ...z.toJSONSchema(bridgeFileSchema, { io: 'input' }),
  };
}

if (require.main === module) {
  require('./require-typescript.cjs');
  const { variables, bridgeFileSchema } = require('../packages/config/src/index.ts');
  const { z } = require(require.resolve('zod', { paths: [`${__dirname}/../packages/config`] }));
  const schema = schemaOf({ z, bridgeFileSchema });
  writePage(page, configurationPage({ variables, schema }));
  writePage(schemaPage, `${JSON.stringify(schema, null, 2)}\n`);
}

module.exports = { configurationPage, page, schemaOf, schemaPage, sections };
