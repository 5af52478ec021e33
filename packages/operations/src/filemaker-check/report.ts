import type { FileMakerFault, FileMakerFaultCode } from './faults';

/** What is looked at, in this order. */
export const CHECK_STEPS = [
  'server',
  'gates',
  'login',
  'scripts',
  'log',
  'handoff',
  'probes',
  'account',
  'busy-flag',
  'headroom',
  'latency',
  'cart',
] as const;
/** A step of the check, by its stable name. */
export type CheckStepName = (typeof CHECK_STEPS)[number];

/** One step, and what it saw. */
export interface CheckStep {
  name: CheckStepName;
  /** `found`: see `faults`. `not-checked`: something before it failed, or it was not asked for. */
  outcome: 'fine' | 'found' | 'not-checked';
  /** What was seen, in a few words. */
  detail: string;
  /** The faults that this step has found, by name. */
  codes: FileMakerFaultCode[];
}

/** What the check saw at the FileMaker Server. `fine`: nothing that keeps payments from arriving. */
export interface FileMakerCheck {
  at: Date;
  server: { url: string; database: string; version: string | null };
  steps: CheckStep[];
  faults: FileMakerFault[];
  /** Milliseconds of a simple search; null when none was made. */
  latency: { calls: number; medianMs: number; slowestMs: number } | null;
  /** The largest usual cart whose script call fits into a URL; of no account while payloads go as records. */
  cart: { transport: 'get' | 'handoff'; linesThatFit: number; urlCharacters: number; urlCharactersMax: number };
  /** Sessions had at the same moment; null when that was not asked for. */
  headroom: { cap: number; lent: number; heldByOthers: number } | null;
  /** No fault that keeps payments from arriving, and nothing was left unchecked for a fault's sake. */
  fine: boolean;
}

/** Collects what the steps say. */
export class CheckReport {
  readonly steps: CheckStep[] = [];
  readonly faults: FileMakerFault[] = [];

  /** Runs one step; the faults it answers with are its outcome. */
  async step(
    name: CheckStepName,
    work: () => Promise<{ detail: string; faults?: FileMakerFault[] }> | { detail: string; faults?: FileMakerFault[] },
  ): Promise<void> {
    const { detail, faults = [] } = await work();
    this.faults.push(...faults);
    this.steps.push({
      name,
      outcome: faults.length === 0 ? 'fine' : 'found',
      detail,
      codes: faults.map(({ code }) => code),
    });
  }

  /** A fault of an earlier step that only showed later. */
  add(name: CheckStepName, found: FileMakerFault): void {
    this.faults.push(found);
    const step = this.steps.find((one) => one.name === name);
    if (step === undefined) return;
    step.outcome = 'found';
    step.codes.push(found.code);
  }

  notChecked(name: CheckStepName, detail: string): void {
    this.steps.push({ name, outcome: 'not-checked', detail, codes: [] });
  }

  get fine(): boolean {
    return this.faults.every(({ weight }) => weight !== 'broken');
  }
}
