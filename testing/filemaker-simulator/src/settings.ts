import { z } from 'zod';

const milliseconds = z.number().int().min(0).max(3_600_000);
const fraction = z.number().min(0).max(1);
const fileMakerCode = z.union([z.string().regex(/^-?\d+$/), z.number().int()]).transform(String);

const account = z.strictObject({
  name: z.string().min(1),
  password: z.string(),
  /** Layouts this account may not see: a call there gives code 105, a find in the log looks like a privilege fault. */
  hiddenLayouts: z.array(z.string()).default([]),
  /** Scripts this account may not run: they are not listed, and a call gives code 104. Scripts themselves have full access. */
  hiddenScripts: z.array(z.string()).default([]),
  /** What this account may not do through a layout: 200 and 201, and records that it may not view are not found. */
  denied: z
    .array(z.strictObject({ layout: z.string(), actions: z.array(z.enum(['view', 'create', 'edit', 'delete'])) }))
    .default([]),
});

const scriptDefinition = z.strictObject({
  /** `kit` keeps the log-table contract; `plain` is a script that nobody may change: it just does the effect. */
  form: z.enum(['kit', 'plain']),
  effect: z.enum(['paid', 'refunded', 'disputed']),
});

const shape = {
  /** Seeds latency spread and troubles with a fraction. */
  seed: z.number().int(),
  accounts: z.array(account),
  serverVersion: z.string(),
  /** Where the control API may be called from. */
  controlFrom: z.enum(['loopback', 'anywhere']),
  /** PEM files: with both, the server speaks HTTPS. Read at start only. */
  tlsKeyFile: z.string().nullable(),
  tlsCertFile: z.string().nullable(),
  /** How long an idle connection stays open. */
  keepAliveMs: milliseconds,

  sessionsMax: z.number().int().min(0),
  capacityCode: fileMakerCode,
  capacityHttpStatus: z.number().int().min(200).max(599),
  sessionIdleSeconds: z.number().int().min(1),
  isSessionInUseFlag: z.enum(['present', 'absent']),
  validateWhileRunning: z.enum(['answers', 'queues']),
  validateExtendsSession: z.boolean(),
  runningScriptKeepsSession: z.boolean(),
  deleteDuringScript: z.enum(['survives', 'cut', 'waits']),
  expiryDuringScript: z.enum(['survives', 'cut']),
  restartScripts: z.enum(['survives', 'cut']),
  clientAbort: z.enum(['survives', 'cut']),
  abandonedQueuedRequest: z.enum(['runs', 'dropped']),
  /** Wrong passwords in a row before code 214; null: never. */
  lockoutAfterFailures: z.number().int().min(1).nullable(),
  loginRefusedBody: z.enum(['json', 'html']),

  requestLineBytesMax: z.number().int().min(100),
  oversizeRequestLine: z.enum(['nothing', '414']),
  contentTypeWithCharset: z.enum(['accepted', 'refused']),
  bodyBytesMax: z.number().int().min(1_000),
  proxyReadTimeoutMs: milliseconds.nullable(),
  httpStatuses: z.record(z.string(), z.number().int().min(200).max(599)),

  scripts: z.record(z.string(), scriptDefinition),
  scriptAfterFailedCreate: z.enum(['skipped', 'runs', 'runs-unreported']),
  handledErrorInScriptError: z.boolean(),
  scriptSessionsMax: z.number().int().min(1).nullable(),
  scriptParameterCharsMax: z.number().int().min(1),
  kitTransactions: z.boolean(),
  missingInvoice: z.enum(['refuse', 'create']),
  plainScriptResult: z.enum(['text', 'empty']),
  plainScriptLeavesRecordOpen: z.boolean(),
  openRecordLock: z.enum(['script', 'session']),
  deleteReleasesOpenRecord: z.boolean(),
  uniqueUnderSimultaneousCommits: z.enum(['strict', 'racy']),
  entryModeScriptBypassesAlwaysValidate: z.boolean(),
  numbersAs: z.enum(['number', 'string']),
  findIgnoresCase: z.boolean(),

  loginMs: milliseconds,
  loginSpreadMs: milliseconds,
  recordMs: milliseconds,
  scriptMs: milliseconds,
  scriptSpreadMs: milliseconds,
  /** The share of a script's time that passes before its commit. */
  commitAtFraction: fraction,
  /** Scripts stop at this point until the setting goes back to `none`. */
  holdScripts: z.enum(['none', 'before-commit', 'after-commit']),
} as const;

const settingsSchema = z.strictObject(shape);
const patchSchema = settingsSchema.partial();

/** Everything that can be set; README.md says what each one means and where the behaviour comes from. */
export type SimulatorSettings = z.output<typeof settingsSchema>;
/** Any part of the settings; what is missing keeps its value. */
export type SimulatorSettingsPatch = z.input<typeof patchSchema>;

/** What the simulator does when nobody says otherwise. */
export const DEFAULT_SETTINGS: SimulatorSettings = {
  seed: 1,
  accounts: [{ name: 'bridge', password: 'bridge', hiddenLayouts: [], hiddenScripts: [], denied: [] }],
  serverVersion: '22.0.4',
  controlFrom: 'loopback',
  tlsKeyFile: null,
  tlsCertFile: null,
  keepAliveMs: 65_000,

  sessionsMax: 10,
  capacityCode: '812',
  capacityHttpStatus: 500,
  sessionIdleSeconds: 900,
  isSessionInUseFlag: 'present',
  validateWhileRunning: 'answers',
  validateExtendsSession: true,
  runningScriptKeepsSession: true,
  deleteDuringScript: 'survives',
  expiryDuringScript: 'survives',
  restartScripts: 'cut',
  clientAbort: 'survives',
  abandonedQueuedRequest: 'runs',
  lockoutAfterFailures: null,
  loginRefusedBody: 'json',

  requestLineBytesMax: 8_192,
  oversizeRequestLine: 'nothing',
  contentTypeWithCharset: 'accepted',
  bodyBytesMax: 4_194_304,
  proxyReadTimeoutMs: null,
  httpStatuses: {},

  scripts: {
    STRIPE_PAYMENTLINK_SUCCESS: { form: 'kit', effect: 'paid' },
    STRIPE_REFUND: { form: 'kit', effect: 'refunded' },
    STRIPE_DISPUTE: { form: 'kit', effect: 'disputed' },
  },
  scriptAfterFailedCreate: 'skipped',
  handledErrorInScriptError: false,
  scriptSessionsMax: null,
  scriptParameterCharsMax: 1_000_000,
  kitTransactions: true,
  missingInvoice: 'refuse',
  plainScriptResult: 'text',
  plainScriptLeavesRecordOpen: false,
  openRecordLock: 'session',
  deleteReleasesOpenRecord: true,
  uniqueUnderSimultaneousCommits: 'strict',
  entryModeScriptBypassesAlwaysValidate: false,
  numbersAs: 'number',
  findIgnoresCase: true,

  loginMs: 5,
  loginSpreadMs: 0,
  recordMs: 0,
  scriptMs: 10,
  scriptSpreadMs: 0,
  commitAtFraction: 0.5,
  holdScripts: 'none',
};

/** Checks a patch and lays it over the given settings. Throws `z.ZodError` naming every fault. */
export function applySettings(current: SimulatorSettings, patch: unknown): SimulatorSettings {
  return settingsSchema.parse({ ...current, ...patchSchema.parse(patch) });
}
