import type { SectionName } from './fault';

type Peer = Exclude<SectionName, 'configuration' | 'clock'>;

/**
 * By section the settings without which it would ask the wrong server, or take a default for what was meant: then
 * it would be silent about a fault, tell one that is none, or let `--fix` change what nobody wanted.
 */
const NEEDS: Readonly<Record<Peer, RegExp>> = {
  postgresql: /^DATABASE_URL$/,
  redis: /^(REDIS_URL|QUEUE_PREFIX)$/,
  stripe: /^(STRIPE_API_KEY|STRIPE_API_BASE|FLOWS)$/,
  webhook:
    /^(DATABASE_URL|STRIPE_API_KEY|STRIPE_API_BASE|STRIPE_WEBHOOK_URL|STRIPE_DELIVERY|STRIPE_PULL_SECONDS|FLOWS|MODE|RECONCILE_FROM)$/,
  // All of them: the check takes part in the workers' pool, whose cap and keys it must know.
  filemaker: /^(FILEMAKER_.*|BRIDGE_CONFIG)$/,
  work: /^(DATABASE_URL|FLOWS|MODE|BRIDGE_CONFIG)$/,
};

/** What the faults of the configuration leave to look at. */
export interface Soundness {
  /** Undefined: the section can be looked at. Otherwise why not, naming the variables. */
  hindrance(section: Peer): string | undefined;
  /** The same for one variable. */
  hindranceBy(variable: string): string | undefined;
}

const because = (names: readonly string[]): string | undefined =>
  names.length === 0 ? undefined : `not looked at because of ${names.join(', ')}: see Configuration`;

/** Pure. `variables` as faults name them: `NAME`, `NAME_FILE`, or `BRIDGE_CONFIG: path`. */
export function judgeSoundness(variables: readonly string[]): Soundness {
  const names = [...new Set(variables.map((variable) => variable.replace(/:.*$/s, '').replace(/_FILE$/, '')))];
  return {
    hindrance: (section) => because(names.filter((name) => NEEDS[section].test(name))),
    hindranceBy: (variable) => because(names.filter((name) => name === variable)),
  };
}
