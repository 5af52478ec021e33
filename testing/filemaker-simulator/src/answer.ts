import type { Response } from 'express';
import { describeCode, type FileMakerError, statusOfCode } from './filemaker-error';
import type { SimulatorSettings } from './settings';

export interface Envelope {
  readonly response: Readonly<Record<string, unknown>>;
  readonly messages: readonly { readonly code: string; readonly message: string }[];
}

export function okEnvelope(response: Readonly<Record<string, unknown>>): Envelope {
  return { response, messages: [{ code: '0', message: 'OK' }] };
}

function errorEnvelope(code: string, message?: string, response: Readonly<Record<string, unknown>> = {}): Envelope {
  return { messages: [{ code, message: message ?? describeCode(code) }], response };
}

/** Sends an API error: `httpStatuses` decides the status, 812 and 956 have a setting of their own. */
export function sendError(res: Response, error: FileMakerError, settings: SimulatorSettings, response = {}): void {
  const capacity = error.code === settings.capacityCode;
  const status = capacity
    ? (settings.httpStatuses[error.code] ?? settings.capacityHttpStatus)
    : statusOfCode(error.code, settings.httpStatuses);
  res.status(status).json(errorEnvelope(error.code, error.message, response));
}

/** A web server's own page, as it shows when the Data API engine is away. */
export function sendHtml(res: Response, status: number): void {
  const title = status === 401 ? '401 Unauthorized' : status === 504 ? '504 Gateway Time-out' : `${status} Bad Gateway`;
  res
    .status(status)
    .type('html')
    .send(
      `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`,
    );
}
