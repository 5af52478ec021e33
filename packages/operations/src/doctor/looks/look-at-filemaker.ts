import { createFileMakerClient, FileMakerError } from '@bridge/filemaker-client';
import { checkFileMaker } from '../../filemaker-check/check-filemaker';
import { serverFault } from '../../filemaker-check/run-check';
import type { Looked } from '../report';
import type { Examination, WithDatabase } from './examination';

/** A service may be given the password alone (a systemd credential); then this command knows too little to log in. */
const NOT_CONFIGURED = 'no FileMaker is configured here, or FILEMAKER_PASSWORD is not given to this command';

const DOOR_MS = 10_000;

/** What the FileMaker check and other sections would tell twice. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['FILEMAKER_HALTED', 'FILEMAKER_PAUSED', 'REDIS_AWAY']);

/** All of `filemaker check`, but for its trial of the sessions. */
export async function lookAtFileMakerServer({ config, database, sound }: WithDatabase): Promise<Looked> {
  const { filemaker, invoices } = config;
  // Under a wrong prefix the workers' sessions would not be seen, and the cap not kept.
  const hindrance = sound.hindrance('redis');
  const redis = hindrance === undefined ? config.redis : undefined;
  if (filemaker === undefined) return { notChecked: NOT_CONFIGURED };
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
    detail: `${filemaker.url}, file ${filemaker.database}${version === null ? '' : `, version ${version}`}; ${done} of ${check.steps.length} steps looked at${hindrance === undefined ? '' : `; sessions ${hindrance}`}`,
    faults: check.faults.filter(({ code }) => !TOLD_ELSEWHERE.has(code)),
  };
}

/** Whether the server answers. No session: without PostgreSQL nobody can say how many the workers hold. */
export async function lookAtFileMakerDoor({ config }: Examination): Promise<Looked> {
  const { filemaker } = config;
  if (filemaker === undefined) return { notChecked: NOT_CONFIGURED };
  const { url, database, username, password, ca } = filemaker;
  const client = createFileMakerClient({ url, database, username, password, ca, timeoutMs: DOOR_MS });
  const rest = 'the account and its file only with PostgreSQL and our tables there';
  try {
    const { version } = await client.productInfo();
    return { detail: `${url} answers${version === undefined ? '' : `, version ${version}`}; ${rest}`, faults: [] };
  } catch (error) {
    if (!(error instanceof FileMakerError)) throw error;
    const found = serverFault(error);
    // A server that keeps this question to itself is there all the same.
    return found === undefined
      ? { detail: `${url} answers; ${rest}`, faults: [] }
      : { detail: `${url} does not answer`, faults: [found] };
  } finally {
    await client.close();
  }
}
