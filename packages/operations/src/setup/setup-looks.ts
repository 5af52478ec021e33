import type { FileMakerSeen, StripeSeen } from './look-at-peers';

export type { FileMakerSeen, StripeSeen } from './look-at-peers';

/** Whose key it is; for `init`. */
export async function lookAtStripe(options: { apiKey: string; apiBase?: string }): Promise<StripeSeen> {
  // Loaded when it is wanted: the clients of the peers would slow down every other command.
  const { lookAtStripeAccount } = await import('./look-at-peers.js');
  return lookAtStripeAccount(options);
}

/** Version, layouts and scripts as the account sees them; for `init`. */
export async function lookAtFileMaker(options: {
  url: string;
  database: string;
  username: string;
  password: string;
  ca?: string | undefined;
}): Promise<FileMakerSeen> {
  const { lookAtFileMakerFile } = await import('./look-at-peers.js');
  return lookAtFileMakerFile(options);
}
