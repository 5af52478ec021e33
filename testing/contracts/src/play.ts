import { z } from 'zod';
import type { Answer } from './contract-case';
import type { RecordingHead } from './record';
import type { Place, Transport } from './transport';

/** The recording has no such exchange: nothing can be said. */
export class NotRecorded extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'NotRecorded';
  }
}

/** The file is no recording of this suite. */
export class UnreadableRecording extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'UnreadableRecording';
  }
}

const head = z.object({
  contracts: z.literal(1),
  of: z.enum(['filemaker', 'stripe']),
  recordedAt: z.string(),
  variables: z.record(z.string(), z.string()),
});
const answer = z.object({
  status: z.number().nullable(),
  headers: z.record(z.string(), z.string()),
  json: z.unknown().optional(),
  text: z.string(),
  failure: z.string().nullable(),
  startedMs: z.number(),
  endedMs: z.number(),
});
const line = z.union([
  z.object({ case: z.string(), step: z.string(), line: z.string(), nth: z.number(), answer }),
  z.object({ case: z.string(), arranged: z.string(), atMs: z.number() }),
  z.object({ case: z.string(), skipped: z.string() }),
]);

export interface Recording {
  readonly head: RecordingHead;
  readonly transport: Transport;
}

interface Recorded {
  readonly line: string;
  readonly answer: Answer;
}

/** Reads a recording and plays it back: every exchange is answered as it was then. Throws `UnreadableRecording`. */
export function readRecording(text: string): Recording {
  const [first = '', ...rest] = text.split('\n').filter((one) => one.trim() !== '');
  const answers = new Map<string, Recorded>();
  const arranged = new Map<string, number>();
  const skipped = new Map<string, string>();
  for (const [index, one] of rest.entries()) {
    const entry = parsed(line, one, `line ${index + 2}`);
    if ('skipped' in entry) skipped.set(entry.case, entry.skipped);
    else if ('arranged' in entry) arranged.set(`${entry.case} ${entry.arranged}`, entry.atMs);
    else {
      const place = { caseId: entry.case, step: entry.step, line: entry.line, nth: entry.nth };
      answers.set(keyOf(place), { line: entry.line, answer: { ...entry.answer, json: entry.answer.json } });
    }
  }
  const missing = ({ caseId }: Place): NotRecorded =>
    new NotRecorded(`not in the recording: ${skipped.get(caseId) ?? 'this case was not played then'}`);
  const recorded = (place: Place): Answer => {
    const found = answers.get(keyOf(place));
    if (found === undefined) throw missing(place);
    if (found.line !== place.line) throw new NotRecorded(`"${place.step}" asks something else since it was recorded`);
    return found.answer;
  };
  return {
    head: parsed(head, first, 'line 1'),
    transport: {
      send: async (_exchange, _variables, place) => recorded(place),
      receive: async (_step, _variables, place) => recorded(place),
      arranged: (place) => {
        const atMs = arranged.get(`${place.caseId} ${place.step}`);
        if (atMs === undefined) throw missing(place);
        return atMs;
      },
      skipped: () => undefined,
    },
  };
}

function keyOf({ caseId, step, nth }: Place): string {
  return JSON.stringify([caseId, step, nth]);
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string, where: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new UnreadableRecording(`${where} is not as a recording of this suite has it`);
  }
}
