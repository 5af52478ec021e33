import type { EndpointFix } from './endpoint-fix';
import { type Fault, fault, type Judged, SECTIONS, type SectionName } from './fault';

/** One thing that is wrong, with the section that saw it. */
export interface DoctorFault extends Fault {
  section: SectionName;
  /** The page that says more: `/runbooks/<name>` at the console, `./bridge runbook <name>` here. Null: none yet. */
  runbook: string | null;
}

/** One subject that was looked at. */
export interface DoctorSection {
  name: SectionName;
  /** `not-checked`: something else failed, or it is not used here. */
  outcome: 'fine' | 'found' | 'not-checked';
  detail: string;
  /** Of its faults, by name. */
  codes: string[];
}

/** What the doctor saw. `fine`: payments can arrive; notes do not make it false. */
export interface DoctorReport {
  at: Date;
  version: string;
  sections: DoctorSection[];
  faults: DoctorFault[];
  /** What `--fix` can put right, not yet done; null: nothing. */
  fix: EndpointFix | null;
  /** No fault that keeps payments from arriving. */
  fine: boolean;
}

/** What a section's look gave: judged, or why nobody looked. */
export type Looked = Judged | { notChecked: string };

/**
 * Runs one look within its time. Whatever it throws becomes a fault of that section: the other sections are told all the
 * same.
 */
export async function lookWithin(ms: number, work: () => Promise<Looked>): Promise<Looked> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Looked>((resolve) => {
    timer = setTimeout(
      () => resolve({ detail: 'no answer', faults: [fault('CHECK_NOT_ANSWERED', `no answer within ${ms / 1_000} s`)] }),
      ms,
    );
  });
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    // Its message may hold an address or a query; its name and code tell enough.
    const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
    const name = error instanceof Error ? error.name : 'unknown error';
    return {
      detail: 'could not be asked',
      faults: [fault('CHECK_NOT_ANSWERED', typeof code === 'string' ? `${name}, ${code}` : name)],
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Pure. */
export function composeReport(parts: {
  at: Date;
  version: string;
  looked: ReadonlyMap<SectionName, Looked>;
  fix: EndpointFix | null;
  runbookOf: (code: string) => string | undefined;
}): DoctorReport {
  const sections: DoctorSection[] = [];
  const faults: DoctorFault[] = [];
  for (const name of SECTIONS) {
    const looked = parts.looked.get(name);
    if (looked === undefined || 'notChecked' in looked) {
      sections.push({ name, outcome: 'not-checked', detail: looked?.notChecked ?? 'not looked at', codes: [] });
      continue;
    }
    faults.push(...looked.faults.map((one) => ({ ...one, section: name, runbook: parts.runbookOf(one.code) ?? null })));
    sections.push({
      name,
      outcome: looked.faults.length === 0 ? 'fine' : 'found',
      detail: looked.detail,
      codes: looked.faults.map(({ code }) => code),
    });
  }
  return {
    at: parts.at,
    version: parts.version,
    sections,
    faults,
    fix: parts.fix,
    fine: faults.every(({ weight }) => weight !== 'broken'),
  };
}
