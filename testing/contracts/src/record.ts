import { openSync, writeSync } from 'node:fs';
import type { Answer } from './contract-case';
import type { Variables } from './placeholders';
import { Pseudonyms, SecretInRecording } from './redaction';
import type { Suite } from './suite';
import type { Place, RunVariables, Transport } from './transport';

/** A shorter one would be found in innocent words. */
const SECRET_CHARS_MIN = 8;

/** The first line of a recording. */
export interface RecordingHead {
  readonly contracts: 1;
  readonly of: Suite['name'];
  readonly recordedAt: string;
  readonly variables: Variables;
}

/** Every further line: an answer, an arrangement, or a case that was not played. */
export type RecordingLine =
  | (Omit<Place, 'caseId'> & { readonly case: string; readonly answer: Answer })
  | { readonly case: string; readonly arranged: string; readonly atMs: number }
  | { readonly case: string; readonly skipped: string };

/**
 * Writes down what passes through, as JSON lines. A request is named by the case's own text, with placeholders, so it
 * holds nothing of the server's; an answer goes through the suite's redaction, which keeps only what it knows to be
 * harmless. As a last check no line may contain a secret of the run: that throws `SecretInRecording`.
 */
export function createRecorder(
  inner: Transport,
  suite: Suite,
  { open, secrets }: RunVariables,
  write: (line: string) => void,
): Transport {
  const pseudonyms = new Pseudonyms();
  const put = (value: RecordingHead | RecordingLine): void => {
    const line = JSON.stringify(value);
    for (const [name, secret] of Object.entries(secrets))
      if (secret.length >= SECRET_CHARS_MIN && line.includes(secret)) throw new SecretInRecording(name);
    write(line);
  };
  put({ contracts: 1, of: suite.name, recordedAt: new Date().toISOString(), variables: shownVariables() });

  function shownVariables(): Variables {
    return Object.fromEntries(
      Object.entries(open).flatMap(([name, value]) => {
        if (typeof value !== 'string') return [];
        return [[name, suite.plainVariables.includes(name) ? value : pseudonyms.of('name', value)]];
      }),
    );
  }

  const note = ({ caseId, ...place }: Place, answer: Answer): void =>
    put({ case: caseId, ...place, answer: suite.redact(answer, pseudonyms, open) });
  return {
    send: async (exchange, variables, place, abandoned) => {
      const answer = await inner.send(exchange, variables, place, abandoned);
      note(place, answer);
      return answer;
    },
    receive: async (step, variables, place) => {
      const answer = await inner.receive(step, variables, place);
      note(place, answer);
      return answer;
    },
    arranged: (place) => {
      const atMs = inner.arranged(place);
      put({ case: place.caseId, arranged: place.step, atMs });
      return atMs;
    },
    skipped: (caseId, skipped) => put({ case: caseId, skipped }),
  };
}

/** Appends lines to a new file that only its owner may read. Throws EEXIST when it is there already. */
export function newRecordingFile(path: string): (line: string) => void {
  const file = openSync(path, 'wx', 0o600);
  return (line) => void writeSync(file, `${line}\n`);
}
