/**
 * What a person does before `resume` lifts a halt, by its cause. A halt that is resumed before the fault is mended comes
 * back with the next call.
 */
const WAYS_OUT: Readonly<Record<string, string>> = {
  FILEMAKER_CREDENTIALS:
    'Check the account, its password and its extended privilege fmrest; after a change of FILEMAKER_USERNAME or FILEMAKER_PASSWORD restart the workers.',
  FILEMAKER_LOGIN_ATTEMPTS: 'Wait until FileMaker opens the account again, and check the password first.',
  FILEMAKER_SCRIPT_MISSING: 'Give the file a script of this name: what is planned runs the script it was planned with.',
  FILEMAKER_LAYOUT_MISSING: 'Give the file a layout of this name, and the account access to it.',
  FILEMAKER_FIELD_MISSING: 'Put the field on the layout, and give the account access to it.',
  FILEMAKER_DATABASE_NAME: 'Check FILEMAKER_DATABASE and restart the workers.',
  FILEMAKER_FILE_FAULT: 'Look at the file and the disk on the server: single-user mode, damage or no space.',
  FILEMAKER_DATA_LIMIT: 'The yearly transfer of the licence is used up: ask Claris for more.',
  FILEMAKER_LICENCE: "Renew the server's licence.",
  STRIPE_KEY_REFUSED: 'Give the workers a key that is valid (STRIPE_API_KEY) and restart them.',
  STRIPE_PERMISSION: 'Give the restricted key the permission that is named, in the Stripe dashboard.',
  OTHER_PEER:
    'Give the workers the key of the account that this database belongs to, or take the other one over: ./bridge adopt',
};

/** Undefined for a cause that this version does not know. */
export function wayOut(cause: string): string | undefined {
  return WAYS_OUT[cause];
}
