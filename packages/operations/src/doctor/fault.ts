/** What is looked at, in the order of the report. */
export const SECTIONS = [
  'configuration',
  'postgresql',
  'redis',
  'clock',
  'stripe',
  'webhook',
  'filemaker',
  'work',
] as const;
export type SectionName = (typeof SECTIONS)[number];

/** One thing that is not as it should be. "Finding" is reconciliation's word. */
export interface Fault {
  /** Stable: people look it up, scripts may rely on it. */
  code: string;
  /** `broken`: payments do not arrive, or can get lost. `note`: it works, and could be safer. */
  weight: 'broken' | 'note';
  /** What it is about: a variable, a version, an id. Holds no secret: it is printed. */
  about: string | null;
  what: string;
  why: string;
  todo: string;
}

/** What a look at one subject came to. */
export interface Judged {
  /** What was seen, in a few words. */
  detail: string;
  faults: Fault[];
}

type Text = readonly [weight: Fault['weight'], what: string, why: string, todo: string];

/** `{about}` stands for what the fault is about. */
const TEXTS = {
  CHECK_NOT_ANSWERED: [
    'broken',
    'This part could not be looked at ({about}).',
    'Nobody can say how it stands.',
    'Run ./bridge doctor again. If it stays: the machine or the network is overloaded.',
  ],
  CONFIGURATION_FAULTY: [
    'broken',
    '{about}.',
    'An app that reads this ends at its start with exit code 78.',
    'Correct it and restart the apps. docs/configuration.md says what each variable takes.',
  ],
  ENV_FILE_OPEN: [
    'broken',
    '{about} can be read by others on this machine.',
    'It holds the Stripe key and the FileMaker password.',
    'chmod 600 {about}',
  ],
  SECRET_FILE_OPEN: [
    'note',
    'A file with a secret can be read by others on this machine: {about}.',
    'Whoever reads it can act as the bridge.',
    'Take the right to read it from group and others.',
  ],
  NODE_TOO_OLD: [
    'broken',
    'Node is version {about}.',
    'The bridge is built and tested for 22.19 and newer.',
    'Install Node 24 (LTS), or use our images.',
  ],
  POSTGRESQL_AWAY: [
    'broken',
    'PostgreSQL cannot be reached ({about}).',
    'It owns every fact: webhooks get 503 and are sent again by Stripe, nothing is sent to FileMaker.',
    'Start PostgreSQL, and check host and port in DATABASE_URL.',
  ],
  POSTGRESQL_REFUSED: [
    'broken',
    'PostgreSQL does not let us in ({about}).',
    'No app can work without it.',
    'Check user, password and database name in DATABASE_URL.',
  ],
  POSTGRESQL_TOO_OLD: [
    'broken',
    'PostgreSQL is version {about}.',
    'The bridge needs 15 or newer.',
    'Upgrade the server (pg_upgrade, or dump and restore).',
  ],
  POSTGRESQL_READ_ONLY: [
    'broken',
    'This PostgreSQL takes no writes ({about}).',
    'Nothing can be stored: webhooks get 503.',
    'Point DATABASE_URL at the primary.',
  ],
  MIGRATIONS_PENDING: [
    'broken',
    'The database is not up to date: {about}.',
    'The apps of this version do not start on it.',
    './bridge migrate',
  ],
  MIGRATIONS_NEWER: [
    'broken',
    'The database was changed by a newer version of the bridge: {about}.',
    'This version does not know what stands there now.',
    'Use the newer version here too, or restore the backup that was made before the update.',
  ],
  MIGRATIONS_CHANGED: [
    'broken',
    'The files of this build and what was applied to the database tell different pasts: {about}.',
    'Nobody can say what the tables look like, so nothing is migrated.',
    'Install an unchanged build. A migration that was applied is never edited.',
  ],
  CONNECTIONS_SCARCE: [
    'broken',
    'PostgreSQL may run out of connections: {about}.',
    'A process that gets none stands still; webhooks get 503.',
    'Raise max_connections, lower DATABASE_POOL_MAX, or put PgBouncer (session mode) in between.',
  ],
  COMMITS_NOT_SYNCED: [
    'broken',
    'The server answers a commit before it is on disk ({about}).',
    'We acknowledge a webhook once it is committed. After a power cut such a payment would be gone, and Stripe would not send it again.',
    'Set synchronous_commit = on at the server (the bridge relaxes it itself where nothing is at stake).',
  ],
  REDIS_AWAY: [
    'broken',
    'Redis cannot be reached ({about}).',
    'Webhooks are still stored; nothing is sent to FileMaker until Redis is back.',
    'Start Redis, and check REDIS_URL.',
  ],
  REDIS_REFUSED: [
    'broken',
    'Redis does not let us in ({about}).',
    'Webhooks are still stored; nothing is sent to FileMaker.',
    'Check user and password in REDIS_URL, and what this user may do (ACL).',
  ],
  REDIS_TOO_OLD: [
    'broken',
    'The queue server is {about}.',
    'The queues need Redis 7 or Valkey 8, or newer.',
    'Upgrade it. Nothing has to be kept: the queues are made again from PostgreSQL.',
  ],
  REDIS_EVICTS: [
    'broken',
    'Redis may throw keys away: maxmemory-policy is {about}.',
    'Jobs would vanish one by one, unnoticed by the queue.',
    'Set maxmemory-policy noeviction, for good in the configuration of the server.',
  ],
  REDIS_READ_ONLY: [
    'broken',
    'This Redis is a replica ({about}).',
    'No job can be added.',
    'Point REDIS_URL at the primary.',
  ],
  REDIS_OTHER_NODE: [
    'broken',
    'Our keys live on another node of this Redis Cluster ({about}).',
    'Every command of ours is refused.',
    'Use one Redis (or Valkey) of its own for the bridge: it needs little.',
  ],
  REDIS_MEMORY_SHORT: [
    'broken',
    'Redis has used {about} of its memory.',
    'A full Redis takes no more jobs.',
    'Raise maxmemory, or find out who else fills it.',
  ],
  REDIS_FORGETS: [
    'note',
    'Redis keeps nothing over a restart.',
    'Nothing is lost, since PostgreSQL has all of it; the first seconds after a restart go to making the jobs anew.',
    'Set appendonly yes, if restarts are frequent.',
  ],
  CLOCK_DIFFERS: [
    'broken',
    'The clocks differ: {about}.',
    'Webhook signatures are refused when they seem older than five minutes; times on screens and reports are wrong.',
    'Let NTP set the clocks of all machines (timedatectl shows it).',
  ],
  STRIPE_KEY_UNSET: [
    'broken',
    'STRIPE_API_KEY is not set here.',
    'The worker reads every payment at Stripe before it acts; this check cannot ask either.',
    'Set STRIPE_API_KEY (a restricted key suffices).',
  ],
  STRIPE_AWAY: [
    'broken',
    'Stripe does not answer ({about}).',
    'Webhooks are still stored; what they mean is read once Stripe is back.',
    'Check the way out of this machine to api.stripe.com, port 443, then status.stripe.com.',
  ],
  STRIPE_KEY_REFUSED: [
    'broken',
    'Stripe does not accept the key ({about}).',
    'No payment can be read, so none reaches FileMaker.',
    'Make a new key in the Stripe dashboard, set STRIPE_API_KEY, restart the workers, then: ./bridge resume stripe --why "new key"',
  ],
  STRIPE_OTHER_ACCOUNT: [
    'broken',
    'The key belongs to another Stripe account than this database ({about}).',
    "Workers with this key do not start: two companies' money would be mixed.",
    'Give the key of the old account, use a new database, or take over knowingly: ./bridge adopt --help',
  ],
  STRIPE_OTHER_MODE: [
    'broken',
    'The key is of {about} mode, and this database belongs to the other mode of the same account.',
    'Test payments and real ones would be mixed; workers with this key do not start.',
    'Give the key of the right mode, or use a database of its own for tests.',
  ],
  STRIPE_ACCOUNT_UNTOLD: [
    'note',
    'The key may not read its own account ({about}).',
    'The bridge cannot notice when it is given the key of another account.',
    'Give the restricted key read access to the account, if Stripe offers it to you.',
  ],
  STRIPE_READ_MISSING: [
    'broken',
    'The key may not read {about}.',
    'The bridge halts at the first payment that needs it.',
    'Stripe dashboard, Developers, API keys, edit the restricted key: set this to Read. No restart is needed.',
  ],
  STRIPE_READ_WANTED: [
    'note',
    'The key may not read {about}.',
    'Payments arrive all the same; something that a person would like to know is missing.',
    'Stripe dashboard, Developers, API keys, edit the restricted key: set this to Read.',
  ],
  STRIPE_KEY_UNRESTRICTED: [
    'note',
    'STRIPE_API_KEY is a secret key that may do everything, on live money.',
    'The bridge only reads. Whoever got hold of this key could also refund and pay out.',
    'Make a restricted key that may only read, and set that.',
  ],
  STRIPE_TEST_KEY_IN_PRODUCTION: [
    'note',
    'NODE_ENV is production, and the Stripe key is of test mode.',
    'Real payments are not seen.',
    'Set the live key, or another NODE_ENV on a machine for tests.',
  ],
  ENDPOINT_MISSING: [
    'broken',
    'Stripe has no webhook endpoint for this bridge ({about}).',
    'Payments are only found by reconciliation, minutes later.',
    'Stripe dashboard, Developers, Webhooks: add the endpoint https://your-host/webhooks/stripe, copy its secret to STRIPE_WEBHOOK_SECRETS, then run: ./bridge doctor --fix',
  ],
  ENDPOINT_AMBIGUOUS: [
    'broken',
    'Several webhook endpoints could be ours: {about}.',
    'Nobody can say which of them has to be right.',
    'Set STRIPE_WEBHOOK_URL to the address that Stripe shall send to, or give it with --url.',
  ],
  ENDPOINT_DISABLED: [
    'broken',
    'The webhook endpoint {about} is disabled at Stripe.',
    'No event is sent. Payments are only found by reconciliation.',
    './bridge doctor --fix',
  ],
  ENDPOINT_TYPES_MISSING: [
    'broken',
    'The webhook endpoint does not get these events: {about}.',
    'What they tell is only found by reconciliation, or not at all.',
    './bridge doctor --fix',
  ],
  ENDPOINT_TYPES_UNNEEDED: [
    'note',
    'The webhook endpoint gets events that no flow wants: {about}.',
    'They are stored and ignored; each costs a request and a row.',
    './bridge doctor --fix',
  ],
  ENDPOINT_NOT_ALONE: [
    'broken',
    'Another webhook endpoint takes the same events: {about}.',
    'If an older handler stands behind it, every payment may run FileMaker scripts twice: once by it and once by us.',
    'Find out what answers there. Disable it in the Stripe dashboard, or begin beside it with MODE=observe.',
  ],
  ENDPOINT_OF_OTHER_BRIDGE: [
    'broken',
    'The webhook endpoint {about} bears the mark of another installation of the bridge, and no other could be ours.',
    'If both are in use, each payment reaches only the one that answers there; what we miss, reconciliation finds minutes later.',
    'Give each bridge an endpoint and an address of its own. If the other installation is gone, add a new endpoint at Stripe, copy its secret to STRIPE_WEBHOOK_SECRETS, remove the old endpoint, then run: ./bridge doctor --fix',
  ],
  ENDPOINT_VERSION_OLD: [
    'note',
    "The webhook endpoint speaks Stripe's API version {about}.",
    'The bridge reads every object anew at Stripe, so nothing is lost; shapes before 2022-08-01 are not tested.',
    'Make a new endpoint with the current version beside it, then remove this one.',
  ],
  ENDPOINT_REDIRECTS: [
    'broken',
    'The address of the webhook endpoint redirects: {about}.',
    'Stripe follows no redirect: every delivery fails.',
    'Register the address at the end of the redirect, or let the proxy answer without one (https, host name and trailing slash).',
  ],
  ENDPOINT_CERTIFICATE: [
    'broken',
    'The certificate at the address of the webhook endpoint is not valid ({about}).',
    'Stripe refuses to deliver there.',
    'Renew the certificate of the TLS proxy.',
  ],
  ENDPOINT_NOT_OURS: [
    'broken',
    'At the address of the webhook endpoint somebody else answers ({about}).',
    'The ingress answers 405 to a look without an event; whoever answers something else does not hand its requests to us.',
    'Check path and host in the TLS proxy: POST /webhooks/stripe goes to the ingress, port 3000.',
  ],
  ENDPOINT_UNREACHABLE: [
    'note',
    'From this machine nobody answers at the address of the webhook endpoint ({about}).',
    'Stripe may still reach it: some networks do not let a machine see its own outside address.',
    'Look from outside, and at the deliveries in the Stripe dashboard, Developers, Webhooks.',
  ],
  DELIVERIES_PENDING: [
    'broken',
    'Events that Stripe could not deliver, and that we do not have: {about}.',
    'Stripe goes on trying for three days; reconciliation finds payments among them before.',
    'Look whether the ingress is running and reachable; the Stripe dashboard shows what was answered.',
  ],
  SIGNATURES_REFUSED: [
    'broken',
    'Webhooks are refused, since no secret of ours makes their signature: {about}.',
    'Payments are only found by reconciliation, minutes later, until the secret is the endpoint’s own.',
    'Stripe dashboard, Developers, Webhooks: copy the signing secret of this endpoint to STRIPE_WEBHOOK_SECRETS and restart the ingress. Who sent them: ./bridge events rejections',
  ],
  PULL_LATE: [
    'broken',
    'With STRIPE_DELIVERY=pull events are fetched each minute; the last time was {about}.',
    'No payment is noticed until they are.',
    'Look whether a worker and a scheduler are running: ./bridge status',
  ],
  WORKER_MISSING: [
    'broken',
    'No worker is running.',
    'Nothing reaches FileMaker; what is paid waits in PostgreSQL.',
    './bridge up, or start the service or container of the worker.',
  ],
  SCHEDULER_MISSING: [
    'broken',
    'No scheduler is running.',
    'Missed webhooks are not looked for, and nobody can log in to the console.',
    './bridge up, or start the service or container of the scheduler.',
  ],
  HALTED: [
    'broken',
    'The bridge has stopped part of its work: {about}.',
    'A fault met every call; work waits until a person has mended it and says so.',
    'Mend it, then: ./bridge resume SCOPE --why "…"',
  ],
  PAUSED: [
    'note',
    'A person has paused {about}.',
    'Work waits until it is resumed.',
    './bridge resume SCOPE --why "…"',
  ],
  PEER_AWAY: [
    'broken',
    'A peer does not answer: {about}.',
    'Its work waits and costs nothing; it goes on by itself within a second of the return.',
    'Look at that server.',
  ],
  WORK_LATE: [
    'broken',
    'An event has waited {about} to be read.',
    'Something keeps the workers from their work although nothing is stopped.',
    'Look at the logs of the workers, then: ./bridge events list --state received',
  ],
  PEOPLE_WAITED_FOR: [
    'note',
    'For a person to decide: {about}.',
    'Each is a payment that FileMaker may not know.',
    './bridge status',
  ],
  SCHEDULES_MISSING: [
    'broken',
    'Redis has no schedule for {about}.',
    'Missed webhooks are not looked for.',
    'Look whether the scheduler uses the same REDIS_URL and QUEUE_PREFIX as this command, then restart it.',
  ],
  SCHEDULE_STUCK: [
    'broken',
    'A schedule has stopped coming: {about}.',
    'What it looks for is not looked for.',
    'Restart the scheduler: it makes its schedules anew.',
  ],
  SCHEDULE_LATE: [
    'broken',
    'A scheduled pass has not come to its end for too long: {about}.',
    'What it looks for is not found.',
    'Look at the failed jobs of the queue reconciliations at the console (/queues), and at the logs of the workers.',
  ],
  JOBS_FAILED: [
    'broken',
    'Scheduled or asked-for work has failed: {about}.',
    'A failed pass is not a finished one; the next one takes up where it stopped.',
    'Read the reason at the console, under /queues.',
  ],
} as const satisfies Record<string, Text>;

export type FaultCode = keyof typeof TEXTS;

/** Every code, for tests and documents. */
export const FAULT_CODES = Object.keys(TEXTS) as readonly FaultCode[];

/** `about` must hold no secret: it is printed. */
export function fault(code: FaultCode, about: string | null = null): Fault {
  const [weight, ...texts] = TEXTS[code];
  const [what, why, todo] = texts.map((text) => text.replaceAll('{about}', about ?? '')) as [string, string, string];
  return { code, weight, about, what, why, todo };
}
