import { planRun } from './plan';
import { readRecording, UnreadableRecording } from './play';
import { suiteOf } from './play-server';
import { ALL_RISKS } from './play-simulator';
import type { CaseResult } from './run-case';
import { type Report, runSuite } from './run-suite';
import { nothingToArrange } from './stage';
import type { Suite } from './suite';

/** Judges a recording: the same cases and expectations, with no server. Throws `UnreadableRecording`. */
export async function playRecording(
  text: string,
  of: Suite['name'],
  onCase: (result: CaseResult) => void = () => undefined,
): Promise<Report> {
  const { head, transport } = readRecording(text);
  if (head.of !== of) throw new UnreadableRecording(`this is a recording of ${head.of}`);
  const suite = suiteOf(of);
  // What a case needed was there when it was recorded; what was not played then says so itself.
  const known = [...Object.keys(head.variables), ...Object.keys(suite.needs), ...NEVER_RECORDED];
  return runSuite({
    suite,
    against: `recording of ${head.recordedAt}`,
    plan: planRun(suite, { allowed: ALL_RISKS, only: [], skip: [], known }),
    transport,
    stage: nothingToArrange,
    variables: head.variables,
    onCase,
  });
}

const NEVER_RECORDED = ['basic', 'basicNobody', 'apiKey', 'apiKeyBasic', 'restrictedKey', 'databaseInOtherCase'];
