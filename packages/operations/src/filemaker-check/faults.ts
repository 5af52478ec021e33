/** What the check can find, by name. Stable: people look these up, and scripts may rely on them. */
export type FileMakerFaultCode =
  | 'SERVER_UNREACHABLE'
  | 'CERTIFICATE_NOT_TRUSTED'
  | 'DATA_API_AWAY'
  | 'SERVER_TOO_OLD'
  | 'OTHER_FILE'
  | 'FILEMAKER_HALTED'
  | 'FILEMAKER_PAUSED'
  | 'REDIS_AWAY'
  | 'LOGIN_REFUSED'
  | 'LOGIN_LOCKED_OUT'
  | 'FILE_CLOSED'
  | 'LOGIN_FAILED'
  | 'NO_ROOM'
  | 'SESSION_NOT_LENT'
  | 'TOKEN_KEY_DIFFERS'
  | 'LAYOUT_MISSING'
  | 'SCRIPT_MISSING'
  | 'SCRIPT_NAMED_TWICE'
  | 'LOG_UNSET'
  | 'LOG_LAYOUT_MISSING'
  | 'LOG_FIELD_MISSING'
  | 'LOG_HASH_MISSING'
  | 'LOG_KIT_FIELD_MISSING'
  | 'LOG_NOT_WRITABLE'
  | 'LOG_NOT_READABLE'
  | 'LOG_KEY_NOT_UNIQUE'
  | 'LOG_ROWS_EDITABLE'
  | 'HANDOFF_LAYOUT_MISSING'
  | 'HANDOFF_FIELD_MISSING'
  | 'HANDOFF_NOT_WRITABLE'
  | 'HANDOFF_NOT_READABLE'
  | 'HANDOFF_KEY_NOT_UNIQUE'
  | 'PROBE_LAYOUT_MISSING'
  | 'PROBE_FIELD_MISSING'
  | 'PROBE_NOT_READABLE'
  | 'MORE_LAYOUTS_THAN_NEEDED'
  | 'MORE_SCRIPTS_THAN_NEEDED'
  | 'SESSION_USE_UNTOLD'
  | 'SESSIONS_FEWER_THAN_CAP'
  | 'ANSWERS_SLOW'
  | 'CART_LINES_NONE'
  | 'CART_LINES_FEW'
  | 'CALL_FAILED';

/** One thing that is not as it should be. */
export interface FileMakerFault {
  code: FileMakerFaultCode;
  /** `broken`: payments would not arrive, or not be provable. `note`: it works, and could be safer or faster. */
  weight: 'broken' | 'note';
  /** The layout, field, script or number it is about. */
  about: string | null;
  what: string;
  why: string;
  todo: string;
}

const FULL_ACCESS = 'the script kit, filemaker/README.md, step 5 (privilege set)';

type Text = readonly [weight: FileMakerFault['weight'], what: string, why: string, todo: string];

/** `{about}` stands for what the fault is about. */
const TEXTS: Readonly<Record<FileMakerFaultCode, Text>> = {
  SERVER_UNREACHABLE: [
    'broken',
    'FileMaker Server cannot be reached ({about}).',
    'Nothing can run. What is paid meanwhile waits in the bridge.',
    'Check FILEMAKER_URL, the name in DNS and the firewall between this machine and the server, port 443.',
  ],
  CERTIFICATE_NOT_TRUSTED: [
    'broken',
    'The certificate of FileMaker Server is not trusted ({about}).',
    'The password and the payments would go to whoever answers under that name, so nothing is sent.',
    'Install a certificate for that host name on the server, or name the private authority in FILEMAKER_CA_FILE. Verification cannot be switched off.',
  ],
  DATA_API_AWAY: [
    'broken',
    'The web server answers, and the Data API behind it does not ({about}).',
    'Nothing can run until it is back; the bridge looks twice a second.',
    'Start the Data API in the Admin Console under Connectors, or with `fmsadmin start fmdapi`.',
  ],
  SERVER_TOO_OLD: [
    'note',
    'FileMaker Server says it is version {about}.',
    'The kit is written for FileMaker 2023 (20) and later. Before 19.6 there are no transactions, and a run that is cut in the middle leaves a row that a person must look at.',
    "Use the kit's variant without transactions (filemaker/README.md), or update the server.",
  ],
  OTHER_FILE: [
    'broken',
    "This bridge's database belongs to another FileMaker server or file.",
    'Sessions and answers of two files would be mixed up, so nothing more was asked.',
    'Correct FILEMAKER_URL and FILEMAKER_DATABASE: spelled exactly as the workers have them.',
  ],
  FILEMAKER_HALTED: [
    'broken',
    'The bridge has stopped its own work ({about}).',
    'A fault met every call; effects wait until a person has mended it and says so.',
    'Mend what this check shows, then type: ./bridge resume {about} --why "…"',
  ],
  FILEMAKER_PAUSED: [
    'note',
    'A person has paused {about}.',
    'Effects wait until it is resumed. This check asks all the same.',
    './bridge resume {about} --why "…"',
  ],
  REDIS_AWAY: [
    'broken',
    'Redis does not lend sessions ({about}).',
    'This check takes its sessions out of the same cap as the workers, and Redis lends them.',
    'Set REDIS_URL as the workers have it, and start Redis.',
  ],
  LOGIN_REFUSED: [
    'broken',
    'FileMaker does not accept the account ({about}).',
    'No session opens. Every further try brings the account nearer to being locked out, so the bridge stops trying.',
    'Check FILEMAKER_USERNAME and FILEMAKER_PASSWORD (taken as they stand, spaces included), that the account is active, and that its privilege set has the extended privilege fmrest.',
  ],
  LOGIN_LOCKED_OUT: [
    'broken',
    'FileMaker has locked the account after too many failed logins ({about}).',
    'No session opens, not even with the right password, for some minutes.',
    'Find out who tries with an old password, wait five minutes, then run this check again.',
  ],
  FILE_CLOSED: [
    'broken',
    'The file is closed, is just being opened, or has another name ({about}).',
    'No session opens; the bridge goes on by itself once the file is there.',
    'Open the file in the Admin Console. FILEMAKER_DATABASE is its name without .fmp12, spelled exactly like the file, capitals included.',
  ],
  LOGIN_FAILED: [
    'broken',
    'FileMaker opened no session ({about}).',
    'Without a session nothing runs.',
    'Look the code up in docs/filemaker-errors.md.',
  ],
  NO_ROOM: [
    'broken',
    'FileMaker has no room for one more session ({about}).',
    'The bridge waits for room and loses nothing, but payments arrive late.',
    'End sessions that nobody needs in the Admin Console, lower FILEMAKER_MAX_SESSIONS, or raise the licence.',
  ],
  SESSION_NOT_LENT: [
    'broken',
    'No session could be had in time ({about}).',
    'Part of the check could not be done.',
    'The workers may be busy with all of them: ./bridge filemaker sessions shows it. Run this check again.',
  ],
  TOKEN_KEY_DIFFERS: [
    'broken',
    'Sessions that are open were sealed with another key.',
    "This command and the workers cannot use each other's sessions; each one counts for 15 minutes all the same.",
    'Give this command the same FILEMAKER_TOKEN_KEY, name and password as the workers.',
  ],
  LAYOUT_MISSING: [
    'broken',
    'The layout {about} does not exist, or the account may not see it.',
    'A script starts in the context of its layout; FileMaker refuses every call with 105.',
    `Check the spelling, and that the privilege set lets the account view that layout: ${FULL_ACCESS}.`,
  ],
  SCRIPT_MISSING: [
    'broken',
    'The script {about} does not exist, or the account may not run it.',
    'FileMaker refuses every call with 104; the bridge halts that script.',
    `Check the spelling, and that the privilege set makes the script executable: ${FULL_ACCESS}.`,
  ],
  SCRIPT_NAMED_TWICE: [
    'broken',
    'There is more than one script named {about}.',
    'Which of them runs is not defined (Claris: Data API guide, run-a-script).',
    'Rename all but one.',
  ],
  LOG_UNSET: [
    'note',
    'FILEMAKER_LOG_LAYOUT is not set, and the script {about} has no probe.',
    'After a lost answer nobody can tell whether the script has run: each such payment waits for a person.',
    'Install the script kit (filemaker/README.md), or give the script a probe in the BRIDGE_CONFIG file.',
  ],
  LOG_LAYOUT_MISSING: [
    'broken',
    'The log layout {about} does not exist, or the account may not see it.',
    'After a lost answer the bridge looks there whether the script has run. Without it, payments stay unknown.',
    `Make the layout (filemaker/README.md, step 1), and let the account view it: ${FULL_ACCESS}.`,
  ],
  LOG_FIELD_MISSING: [
    'broken',
    'The field {about} is not on the log layout.',
    'The Data API shows only fields that stand on the layout. Without this one the bridge cannot read what a run has left.',
    'Put the field on the layout; check FILEMAKER_LOG_KEY_FIELD, _STATE_FIELD and _RESULT_FIELD.',
  ],
  LOG_HASH_MISSING: [
    'broken',
    "The field {about}, by which the kit knows a payment again, is not on the kit's log layout.",
    'If the table lacks it too, the kit takes each repeat of a payment for another one with the same key (KEY_CONFLICT), and it waits for a person.',
    'Give the table bridge_log this field, by this name, and put it on the layout (filemaker/README.md, step 1).',
  ],
  LOG_KIT_FIELD_MISSING: [
    'note',
    "The field {about}, which the kit's script writes, is not on the kit's log layout.",
    'If the table lacks it too, the rows stay without it. The bridge does not need it; who looks a payment up does.',
    'Give the table bridge_log this field, by this name, and put it on the layout (filemaker/README.md, step 1).',
  ],
  LOG_NOT_WRITABLE: [
    'broken',
    "The bridge's own row cannot be written into the log ({about}).",
    '"Not there" is believed only when this row is found in the same search. Without it no lost answer can be settled.',
    `Let the account create records in the log table, with "records via this layout" modifiable, and let no other field of it demand a value: ${FULL_ACCESS}.`,
  ],
  LOG_NOT_READABLE: [
    'broken',
    "The bridge's own row is in the log and is not found ({about}).",
    'A log that hides rows would read as "never ran", and a payment could be booked twice. The bridge refuses to believe it and waits.',
    `Let the account view all records of the log table: ${FULL_ACCESS}. No record-level condition.`,
  ],
  LOG_KEY_NOT_UNIQUE: [
    'broken',
    'The log takes the same key twice ({about}).',
    'The unique key is what stops two runs of one payment that come at the same moment.',
    'Set the key field to "Unique value", "Not empty" and validate "Always". Then delete all but one of the rows whose key begins with bridge-sentinel.',
  ],
  LOG_ROWS_EDITABLE: [
    'note',
    'The account may change rows of the log.',
    "Whoever has its password could rewrite what has been paid. The kit's script does not need this right: it runs with full access.",
    `Take away edit and delete on the log table: ${FULL_ACCESS}.`,
  ],
  HANDOFF_LAYOUT_MISSING: [
    'broken',
    'The hand-off layout {about} does not exist, or the account may not see it.',
    'Every payload goes as a record of that layout; none could be sent.',
    'Make the layout (filemaker/README.md, step 2), or unset FILEMAKER_HANDOFF_LAYOUT.',
  ],
  HANDOFF_FIELD_MISSING: [
    'broken',
    'The field {about} is not on the hand-off layout.',
    'Every payload goes as a record with this field; FileMaker would refuse all of them with 102.',
    'Put the fields idempotency_key and payload on the layout.',
  ],
  HANDOFF_NOT_WRITABLE: [
    'broken',
    'No record can be created on the hand-off layout ({about}).',
    'Every payload goes as such a record; none could be sent.',
    `Let the account create records in the hand-off table, with "records via this layout" modifiable: ${FULL_ACCESS}.`,
  ],
  HANDOFF_NOT_READABLE: [
    'broken',
    'A record of the hand-off table is there and is not found ({about}).',
    'A second sending looks for the record of the first. Not seeing it, FileMaker would refuse it as a duplicate, time and again.',
    `Let the account view all records of the hand-off table: ${FULL_ACCESS}.`,
  ],
  HANDOFF_KEY_NOT_UNIQUE: [
    'broken',
    'The hand-off table takes the same key twice ({about}).',
    'A second sending could leave a second order for whoever reads that table.',
    'Set idempotency_key to "Unique value", "Not empty" and validate "Always". Then delete all but one of the rows whose key begins with bridge-check.',
  ],
  PROBE_LAYOUT_MISSING: [
    'broken',
    'The layout {about} of a probe does not exist, or the account may not see it.',
    'The probe is how the bridge learns whether a plain script has run.',
    'Correct the probe in the BRIDGE_CONFIG file, or let the account view the layout.',
  ],
  PROBE_FIELD_MISSING: [
    'broken',
    'The field {about} of a probe is not on its layout.',
    'The probe is how the bridge learns whether a plain script has run.',
    'Put the field on the layout, or correct the probe in the BRIDGE_CONFIG file.',
  ],
  PROBE_NOT_READABLE: [
    'broken',
    'The account may not search where a probe looks ({about}).',
    'The probe is how the bridge learns whether a plain script has run.',
    'Let the account view the records and the field.',
  ],
  MORE_LAYOUTS_THAN_NEEDED: [
    'note',
    'The account sees layouts that the bridge does not need: {about}.',
    'Whoever has its password can read, and perhaps change, what stands on them.',
    `Let the account see only the bridge's own layouts: ${FULL_ACCESS}.`,
  ],
  MORE_SCRIPTS_THAN_NEEDED: [
    'note',
    'The account may run scripts that the bridge does not need: {about}.',
    'Whoever has its password can run them from outside.',
    `Make only the bridge's own scripts executable: ${FULL_ACCESS}.`,
  ],
  SESSION_USE_UNTOLD: [
    'note',
    'This server does not tell whether a session is at work.',
    'After a lost answer the bridge waits for the longest time a script can run before it believes that nothing happened.',
    'Set FILEMAKER_SCRIPT_MAX_SECONDS close to the truth. Newer servers tell.',
  ],
  SESSIONS_FEWER_THAN_CAP: [
    'broken',
    'FileMaker had room for {about} sessions of the bridge.',
    'At busy times the bridge would knock at a full server, and wait where it need not.',
    'Set FILEMAKER_MAX_SESSIONS to that number or less, end sessions that nobody needs, or raise the licence.',
  ],
  ANSWERS_SLOW: [
    'note',
    'A simple search takes {about} ms.',
    'Each payment needs a script call and now and then a search; what is slow here is slow for every payment.',
    'Look for an unindexed key field, a log layout with many or unstored fields, or a busy server.',
  ],
  CART_LINES_NONE: [
    'broken',
    'Not even one cart line fits into a script parameter ({about} characters of URL, 2,000 are safe).',
    'Without a hand-off layout every payment would be parked as PARAMETER_TOO_LONG.',
    'Set FILEMAKER_HANDOFF_LAYOUT (filemaker/README.md, step 2).',
  ],
  CART_LINES_FEW: [
    'note',
    'Cart lines that fit into a script parameter: about {about}.',
    'Larger carts are parked as PARAMETER_TOO_LONG until a hand-off layout is there. A parameter in the URL also lands in the logs of web servers, with name and address.',
    'Set FILEMAKER_HANDOFF_LAYOUT (filemaker/README.md, step 2).',
  ],
  CALL_FAILED: [
    'broken',
    'A question to FileMaker failed in a way that says nothing about the setting ({about}).',
    'Part of the check could not be done.',
    'Look the code up in docs/filemaker-errors.md, then run this check again.',
  ],
};

/** Every code, for tests and documents. */
export const FILEMAKER_FAULT_CODES = Object.keys(TEXTS) as readonly FileMakerFaultCode[];

/** `about` must hold no secret: it is printed. */
export function fault(code: FileMakerFaultCode, about: string | null = null): FileMakerFault {
  const [weight, ...texts] = TEXTS[code];
  const [what = '', why = '', todo = ''] = texts.map((text) => text.replaceAll('{about}', about ?? ''));
  return { code, weight, about, what, why, todo };
}
