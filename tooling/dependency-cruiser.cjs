/**
 * Who may import whom. Imports point down: apps and cli -> flows -> engine -> peers -> base; none sideways between flows
 * or peers, none up, no cycles. Each rule says why it exists.
 */
const base = '^packages/(database|config|observability|node-runtime)/';
const peers = '^packages/(stripe-client|filemaker-client|session-pool|payload-builder|amberflo-client|mail)/';
const engine = '^packages/(claims|gates|installation|inbox|effects|jobs|flow|operations|reconciliation|alerts)/';
const billing = '^packages/(stripe-mirror|dunning|notices)/';
const faces = '^packages/(cli|console)/';
const tests = '[.]test[.]ts$|/tests/';
const shipped = '^(apps|packages|flows)/';
/** An import of types alone leaves nothing in the compiled file. */
const values = { dependencyTypesNot: ['type-only'] };

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
        path: '^packages/(stripe-client|filemaker-client|session-pool|payload-builder|amberflo-client|mail)/',
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
      to: { path: ['^testing/', tests] },
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
    // The next seven keep docs/decisions/0012-crash-points.md true: what commits or calls somebody outside does so in a
    // wrapper that tells of it, so that a test can kill the process exactly there. Types may be imported anywhere.
    {
      name: 'commits-in-one-place',
      comment: 'PostgreSQL is reached through packages/database, which tells of every commit.',
      severity: 'error',
      from: { path: shipped, pathNot: [tests, '^packages/database/src/(database|migrate|prepared-statement)[.]ts$'] },
      to: {
        path: '(^|/)node_modules/(pg|pg-pool|pg-native)/|^(pg|pg-pool|pg-native)$|(^|/)node_modules/drizzle-orm/(?!pg-core|sql|index)',
        ...values,
      },
    },
    {
      name: 'filemaker-calls-in-one-place',
      comment: 'FileMaker is called through packages/filemaker-client, which tells of every request.',
      severity: 'error',
      from: { path: shipped, pathNot: [tests, '^packages/filemaker-client/src/http-exchange[.]ts$'] },
      to: { path: '(^|/)node_modules/undici/|^undici$', ...values },
    },
    {
      name: 'mail-in-one-place',
      comment: 'The mail server is reached through packages/mail, which tells of every letter.',
      severity: 'error',
      from: { path: shipped, pathNot: [tests, '^packages/mail/src/mailer[.]ts$'] },
      to: { path: '(^|/)node_modules/nodemailer/|^nodemailer$', ...values },
    },
    {
      name: 'stripe-calls-in-one-place',
      comment: 'Stripe is called through packages/stripe-client, whose network side tells of every request.',
      severity: 'error',
      from: { path: shipped, pathNot: [tests, '^packages/stripe-client/src/'] },
      to: { path: '(^|/)node_modules/stripe/|^stripe$', ...values },
    },
    {
      name: 'redis-calls-in-one-place',
      comment: 'Redis connections are opened in packages/jobs, which tells of every command that writes.',
      severity: 'error',
      from: { path: shipped, pathNot: [tests, '^packages/jobs/src/'] },
      to: { path: '(^|/)node_modules/(ioredis|bullmq)/|^(ioredis|bullmq)$', ...values },
    },
    {
      name: 'network-in-one-place',
      comment: 'The rest of the network: the servers, and the network side of the Stripe client.',
      severity: 'error',
      from: {
        path: shipped,
        pathNot: [
          tests,
          '^packages/stripe-client/src/deadline-http-client[.]ts$',
          '^packages/observability/src/create-ops-server[.]ts$',
          '^apps/(ingress/src/create-server|scheduler/src/console-server)[.]ts$',
        ],
      },
      to: { path: '^(node:)?(https?|http2|net|tls|dgram)$', ...values },
    },
    {
      name: 'programs-in-one-place',
      comment: 'Other programs are started by the supervisor and by the start under a suitable Node, not as a way out.',
      severity: 'error',
      from: {
        path: shipped,
        pathNot: [tests, '^packages/(cli/src/supervisor|node-runtime/src/on-suitable-node)[.]ts$'],
      },
      to: { path: '^(node:)?(child_process|cluster|worker_threads)$', ...values },
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
    exclude: { path: '^(apps|packages|testing)/[^/]+/dist/|^flows/dist/|^node_modules/@bridge/' },
    doNotFollow: { path: 'node_modules' },
    webpackConfig: { fileName: 'tooling/resolve-workspaces.cjs' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.json'],
    },
  },
};
