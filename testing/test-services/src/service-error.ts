/** What can go wrong with a test service; the message says what to do about it. */
export type ServiceErrorCode =
  | 'SERVICE_DID_NOT_START'
  | 'SERVICE_NOT_INSTALLED'
  | 'SERVICE_STATE'
  | 'PROCESS_DID_NOT_START'
  | 'LINE_NOT_SEEN'
  | 'NO_TEST_DATABASE';

/**
 * Thrown by everything in this package. `again` says whether the same call may succeed when it is simply repeated.
 * The message never holds a password: server output is quoted, connection URLs are not.
 */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ServiceErrorCode;
  readonly again: boolean;

  constructor(code: ServiceErrorCode, message: string, again = false) {
    super(message);
    this.code = code;
    this.again = again;
  }
}
