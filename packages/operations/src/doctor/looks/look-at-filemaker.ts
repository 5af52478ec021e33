import { checkFileMaker } from '../../filemaker-check/check-filemaker';
import type { Looked } from '../report';
import type { Examination } from './examination';

/** What the FileMaker check and other sections would tell twice. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['FILEMAKER_HALTED', 'FILEMAKER_PAUSED', 'REDIS_AWAY']);

/** All of `filemaker check`, but for its trial of the sessions. */
export async function lookAtFileMakerServer({ config, database }: Examination): Promise<Looked> {
  const { filemaker, redis, invoices } = config;
  if (filemaker === undefined) return { notChecked: 'no FileMaker is configured' };
  const check = await checkFileMaker({
    database,
    filemaker,
    redis,
    facts: invoices.facts,
    payload: invoices.payload,
    sessions: false,
  });
  const { version } = check.server;
  const done = check.steps.filter(({ outcome }) => outcome !== 'not-checked').length;
  return {
    detail: `${filemaker.url}, file ${filemaker.database}${version === null ? '' : `, version ${version}`}; ${done} of ${check.steps.length} steps looked at`,
    faults: check.faults.filter(({ code }) => !TOLD_ELSEWHERE.has(code)),
  };
}
