/** One thing that is wrong, named so that one restart can fix them all. `message` never holds a value. */
export interface ConfigurationFault {
  /** The variable, or the path inside the BRIDGE_CONFIG file (`BRIDGE_CONFIG: invoices.facts.paid.layout`). */
  variable: string;
  message: string;
}

/**
 * The environment or the BRIDGE_CONFIG file is not usable. Trying again does not help: a person must change it.
 * `exitCode` 78 is EX_CONFIG of sysexits.h, which service managers can tell apart from a crash.
 */
export class ConfigurationError extends Error {
  readonly code = 'CONFIGURATION_FAULTY';
  readonly exitCode = 78;
  readonly faults: readonly ConfigurationFault[];

  constructor(faults: readonly ConfigurationFault[]) {
    const lines = faults.map((fault) => `  ${fault.variable}: ${fault.message}`);
    super(`The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`);
    this.name = 'ConfigurationError';
    this.faults = faults;
  }
}
