/**
 * Who may import whom. Imports point down: apps and cli -> flows -> engine -> peers -> base; none sideways between flows
 * or peers, none up, no cycles. Each rule says why it exists.
 */
const base = '^packages/(database|config|observability|node-runtime)/';
const peers = '^packages/(stripe-client|filemaker-client|session-pool|payload-builder|amberflo-client)/';
const engine = '^packages/(claims|gates|installation|inbox|effects|jobs|flow|operations|reconciliation|alerts)/';
const billing = '^packages/(stripe-mirror|dunning|notices)/';
const faces = '^packages/(cli|console)/';
const tests = '[.]test[.]ts$|/tests/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle means that two parts are one; they cannot be read or tested apart.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'base-imports-no-one',
      comment: 'The base knows nothing of what is built on it.',
      severity: 'error',
      from: { path: base, pathNot: tests },
      to: { path: '^(packages|flows|apps|testing)/', pathNot: base },
    },
    {
      name: 'base-stands-alone',
      comment: 'No part of the base needs another; an app joins them.',
      severity: 'error',
      from: { path: '^packages/(database|config|observability|node-runtime)/', pathNot: tests },
      to: { path: base, pathNot: '^packages/$1/' },
    },
    {
      name: 'peers-import-down',
      comment: 'A peer knows its protocol, not what it is used for.',
      severity: 'error',
      from: { path: peers, pathNot: tests },
      to: { path: [engine, billing, faces, '^flows/', '^apps/'] },
    },
    {
      name: 'peers-not-sideways',
      comment: 'An app joins two peers through a small interface that the user of it declares.',
      severity: 'error',
      from: {
        path: '^packages/(stripe-client|filemaker-client|session-pool|payload-builder|amberflo-client)/',
        pathNot: tests,
      },
      to: { path: peers, pathNot: '^packages/$1/' },
    },
    {
      name: 'engine-imports-down',
      comment: 'The engine carries any flow, so it knows none.',
      severity: 'error',
      from: { path: [engine, billing], pathNot: tests },
      to: { path: [faces, '^flows/', '^apps/'] },
    },
    {
      name: 'engine-without-peers',
      comment: 'What talks to a peer is a performer in apps/worker.',
      severity: 'error',
      from: { path: engine, pathNot: [tests, '^packages/operations/'] },
      to: { path: peers },
    },
    {
      name: 'flows-import-down',
      comment: 'A flow decides; apps perform.',
      severity: 'error',
      from: { path: '^flows/', pathNot: tests },
      to: { path: [faces, '^apps/', '^testing/'] },
    },
    {
      name: 'flows-not-sideways',
      comment: 'A flow is one folder; what two share belongs into the engine.',
      severity: 'error',
      from: { path: '^flows/([^/]+)/', pathNot: tests },
      to: { path: '^flows/([^/]+)/', pathNot: '^flows/$1/' },
    },
    {
      name: 'apps-not-sideways',
      comment: 'Apps meet in PostgreSQL and Redis only.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/([^/]+)/', pathNot: '^apps/$1/' },
    },
    {
      name: 'cli-imports-down',
      comment: 'The command line is a face of operations.',
      severity: 'error',
      from: { path: faces, pathNot: tests },
      to: { path: '^apps/' },
    },
    {
      name: 'nobody-ships-tests',
      comment: 'What runs at a customer imports nothing from testing.',
      severity: 'error',
      from: { path: '^(packages|flows|apps)/', pathNot: tests },
      to: { path: '^testing/' },
    },
    {
      name: 'simulators-share-no-code',
      comment: "A simulator that shares code with the client shares the client's mistakes.",
      severity: 'error',
      from: { path: '^testing/(filemaker|stripe)-simulator/', pathNot: tests },
      to: { path: '^(packages|flows|apps)/' },
    },
    {
      name: 'no-own-index',
      comment: 'A file that imports its own index.ts makes a knot of the whole package.',
      severity: 'error',
      from: { path: '^((?:packages|apps|testing)/[^/]+)/src/', pathNot: ['src/index[.]ts$', tests] },
      to: { path: '^$1/src/index[.]ts$' },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no compiler API that this tool could use.
    parser: 'swc',
    tsPreCompilationDeps: true,
    exclude: { path: '(^|/)(dist|node_modules)/' },
    doNotFollow: { path: 'node_modules' },
    webpackConfig: { fileName: 'tooling/resolve-workspaces.cjs' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.json'],
    },
  },
};
