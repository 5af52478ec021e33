/** One setting of a switch of the simulator, and what a run under it must show. */
export interface SwitchSetting {
  readonly switch: string;
  readonly value: string;
  /** The simulator's settings; nothing when it is so by itself. */
  readonly patch: Readonly<Record<string, unknown>>;
  /** Answers to open questions that this setting stands for. */
  readonly shows: Readonly<Record<string, string>>;
}

function setting(name: string, value: unknown, shows: string, more: Record<string, unknown> = {}): SwitchSetting {
  return { switch: name, value: JSON.stringify(value), patch: { [name]: value, ...more }, shows: { [name]: shows } };
}

function choice(name: string, ...values: readonly (string | boolean)[]): SwitchSetting[] {
  return values.map((value) => setting(name, value, String(value)));
}

/** Every setting of every switch of the FileMaker simulator. */
export const SWITCH_SETTINGS: readonly SwitchSetting[] = [
  ...choice('capacityCode', '812', '956', '1212'),
  setting('capacityHttpStatus', 500, '500'),
  setting('capacityHttpStatus', 503, '503'),
  setting('sessionsMax', 10, '10'),
  setting('sessionsMax', 3, '3'),
  setting('sessionIdleSeconds', 900, '15 minutes'),
  setting('sessionIdleSeconds', 600, 'less'),
  setting('sessionIdleSeconds', 3_600, 'more'),
  ...choice('isSessionInUseFlag', 'present', 'absent'),
  ...choice('validateWhileRunning', 'answers', 'queues'),
  ...choice('validateExtendsSession', true, false),
  ...choice('runningScriptKeepsSession', true, false),
  setting('expiryDuringScript', 'survives', 'survives', { runningScriptKeepsSession: false }),
  setting('expiryDuringScript', 'cut', 'cut', { runningScriptKeepsSession: false }),
  ...choice('deleteDuringScript', 'survives', 'cut', 'waits'),
  ...choice('deleteReleasesOpenRecord', true, false),
  ...choice('restartScripts', 'cut', 'survives'),
  ...choice('clientAbort', 'survives', 'cut'),
  ...choice('abandonedQueuedRequest', 'runs', 'dropped'),
  ...choice('scriptAfterFailedCreate', 'skipped', 'runs', 'runs-unreported'),
  ...choice('handledErrorInScriptError', false, true),
  setting('scriptSessionsMax', null, 'two run'),
  setting('scriptSessionsMax', 1, 'one at a time'),
  setting('scriptParameterCharsMax', 1_000_000, 'accepted'),
  setting('scriptParameterCharsMax', 10_000, 'refused'),
  setting('requestLineBytesMax', 8_192, '7,500'),
  setting('requestLineBytesMax', 2_048, '1,500'),
  setting('requestLineBytesMax', 1_000_000, '64,000'),
  ...choice('oversizeRequestLine', 'nothing', '414'),
  ...choice('contentTypeWithCharset', 'accepted', 'refused'),
  setting('proxyReadTimeoutMs', null, 'the answer comes'),
  setting('proxyReadTimeoutMs', 3_500, 'the web server gives up'),
  ...choice('uniqueUnderSimultaneousCommits', 'strict', 'racy'),
  ...choice('entryModeScriptBypassesAlwaysValidate', false, true),
  ...choice('plainScriptLeavesRecordOpen', false, true),
  ...choice('openRecordLock', 'session', 'script'),
  ...choice('numbersAs', 'number', 'string'),
  ...choice('findIgnoresCase', true, false),
  ...[500, 400, 404].map((status) => ({
    switch: 'httpStatuses',
    value: `401 as HTTP ${status}`,
    patch: { httpStatuses: { '401': status } },
    shows: { 'httpStatuses.401': String(status) },
  })),
  ...choice('loginRefusedBody', 'json', 'html'),
  setting('lockoutAfterFailures', null, 'not within eight'),
  setting('lockoutAfterFailures', 3, '3'),
  ...choice('plainScriptResult', 'text', 'empty'),
];

/** Other settings that outsiders may choose: they answer no open question, and every case must hold under them. */
export const OTHER_SETTINGS: readonly Omit<SwitchSetting, 'shows'>[] = [
  { switch: 'kitTransactions', value: 'false', patch: { kitTransactions: false } },
  { switch: 'missingInvoice', value: '"create"', patch: { missingInvoice: 'create' } },
  { switch: 'serverVersion', value: '"19.4.2"', patch: { serverVersion: '19.4.2' } },
];
