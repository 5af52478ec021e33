import type { Answer, Exchange, ReceiveStep } from './contract-case';
import type { Variables } from './placeholders';

/** Which exchange of which case; `nth` counts repetitions from 0. */
export interface Place {
  readonly caseId: string;
  readonly step: string;
  readonly line: string;
  readonly nth: number;
}

/** Gets answers: over the network, or out of a recording. */
export interface Transport {
  /** Never rejects for what a server does; an aborted call gives an answer with a failure. */
  send(exchange: Exchange, variables: Variables, place: Place, abandoned: AbortSignal): Promise<Answer>;
  /** A message from the server to us; `failure` when none came in time. */
  receive(step: ReceiveStep, variables: Variables, place: Place): Promise<Answer>;
  /** Tells that an arrangement is made, and gives the time of it: milliseconds since the run began. */
  arranged(place: Place): number;
  /** Tells why a case was not played. */
  skipped(caseId: string, reason: string): void;
}

/** What a run knows: `secrets` are never recorded. */
export interface RunVariables {
  readonly open: Variables;
  readonly secrets: Readonly<Record<string, string>>;
}

export function noAnswer(failure: string, startedMs: number, endedMs: number): Answer {
  return { status: null, headers: {}, json: undefined, text: '', failure, startedMs, endedMs };
}
