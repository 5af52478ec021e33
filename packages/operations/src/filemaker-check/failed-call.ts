import { FileMakerError } from '@bridge/filemaker-client';
import { PoolError } from '@bridge/session-pool';
import { type FileMakerFault, fault } from './faults';

/** What a person can look up: FileMaker's number, the HTTP status, the system's word. Never a message of the server. */
export function seen(error: FileMakerError): string {
  const parts = [
    error.apiCode === undefined ? undefined : `FileMaker code ${error.apiCode}`,
    error.httpStatus === undefined || error.apiCode !== undefined ? undefined : `HTTP ${error.httpStatus}`,
    error.transportCode ?? (error.apiCode === undefined ? error.fault : undefined),
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? error.code : parts.join(', ');
}

/** For a question that failed for a reason that has nothing to do with what was asked. */
export function failedCall(error: unknown): FileMakerFault {
  if (error instanceof PoolError) {
    if (error.code === 'POOL_REDIS_DOWN') return fault('REDIS_AWAY', error.code);
    return fault('SESSION_NOT_LENT', error.code);
  }
  if (error instanceof FileMakerError) {
    return fault(error.code === 'FILEMAKER_CAPACITY' ? 'NO_ROOM' : 'CALL_FAILED', `${error.code}, ${seen(error)}`);
  }
  throw error;
}

/** Runs a question and answers with its value, or with the client's error. Anything else is thrown on. */
export async function orError<T>(question: Promise<T>): Promise<T | FileMakerError> {
  try {
    return await question;
  } catch (error) {
    if (error instanceof FileMakerError) return error;
    throw error;
  }
}

/** The account may not do that: FileMaker's "insufficient privileges" (9) and its refusals of records and fields (200-204). */
export const isDenied = (error: FileMakerError): boolean =>
  error.code === 'FILEMAKER_ACCESS_DENIED' || error.code === 'FILEMAKER_PRIVILEGES';
