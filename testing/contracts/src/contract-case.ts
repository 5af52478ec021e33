import type { Want } from './wants';

/**
 * One contract case: what the reference says, how to ask, and what must come back. Cases are plain data, so that they
 * can be read as a table and played against a simulator, a real server or a recording alike.
 *
 * Texts may hold placeholders, `{token}`: filled from the run's variables and from what earlier steps kept.
 */
export interface ContractCase {
  /** Kebab-case; also the name for `--only` and `--skip`. */
  readonly id: string;
  /** What the reference says, in our words. */
  readonly says: string;
  /** The public source, for example `Claris: Data API guide, log in`. */
  readonly source: string;
  /** Risks that cannot be read off the steps; the others are found by `risksOf`. */
  readonly risks?: readonly Risk[];
  readonly steps: readonly Step[];
  /** Tidying up: always done, whatever happened, and not judged. */
  readonly afterwards?: readonly CallStep[];
  /** What the documents leave open. */
  readonly questions?: readonly Question[];
  /** What takes more than one answer to see. */
  readonly also?: readonly Also[];
}

/** What a case may do to a real server; each must be allowed there by name. */
export type Risk =
  | 'write' // makes, changes and deletes records or objects of its own
  | 'script' // runs a script
  | 'capacity' // takes sessions until the server has none left, or many requests at once
  | 'lockout' // wrong passwords in a row
  | 'waiting' // takes minutes
  | 'operator'; // needs a person to do something at the server

export type Step = CallStep | StartStep | JoinStep | AbandonStep | ArrangeStep | ReceiveStep;

/** One HTTP exchange. */
export interface Exchange {
  readonly name: string;
  /** Method and path: `GET /validateSession`. */
  readonly line: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as the suite encodes it, a text as it is. */
  readonly body?: unknown;
  readonly expect?: Expectation;
  /** Variables to keep from the answer: name to path, or `header:<name>`. */
  readonly keep?: Readonly<Record<string, string>>;
  /** When what is to be kept is not there, the case is skipped with this reason. */
  readonly orSkip?: string;
}

export interface CallStep extends Exchange {
  readonly do: 'call';
  /** Again and again, at most so often, until an answer fits; that one (else the last) counts. */
  readonly repeat?: { readonly max: number; readonly until: Expectation; readonly atOnce?: boolean };
  /** Keeps a value of every repetition as a list. */
  readonly keepEach?: Readonly<Record<string, string>>;
  /** Once for each value of a kept list, which is then called `{each}`. */
  readonly forEach?: string;
}

/** Sends and does not wait. */
export interface StartStep extends Exchange {
  readonly do: 'start';
}

/** Waits for what was started: to the end, or only for a while. */
export interface JoinStep {
  readonly do: 'join';
  readonly name: string;
  /** `long` when an answer should come, `short` when none should. */
  readonly atMost?: 'long' | 'short';
}

/** Closes the connection of what was started. */
export interface AbandonStep {
  readonly do: 'abandon';
  readonly name: string;
}

/** Something about the server that no request can do: the stage does it, or asks a person. */
export interface ArrangeStep {
  readonly do: 'arrange';
  readonly what: string;
  readonly how: Readonly<Record<string, string | number>>;
}

/** Waits for something that the server sends to us. */
export interface ReceiveStep {
  readonly do: 'receive';
  readonly name: string;
  /** Which message is meant: an event's type and the id of its object, `customer.created {customer}`. */
  readonly about: string;
  /** The secrets of which one must have signed it. */
  readonly secrets: readonly string[];
  /** What it is answered with; `never` waits until the sender gives up. */
  readonly reply: number | 'never';
  /** How long it may take at a real server. */
  readonly withinMinutes: number;
  readonly expect?: Expectation;
  readonly keep?: Readonly<Record<string, string>>;
}

export interface Expectation {
  /** False: the connection ended without an answer. */
  readonly answered?: boolean;
  readonly status?: Want;
  /** False: the body is no JSON. */
  readonly json?: boolean;
  /** The service's own code: `messages[0].code` of FileMaker, `error.code` of Stripe. */
  readonly code?: Want;
  readonly headers?: Readonly<Record<string, Want>>;
  /** By path: `response.data[0].recordId`; `>` reads the text there as JSON: `response.scriptResult>ok`. */
  readonly body?: Readonly<Record<string, Want>>;
  /** Answered earlier, or later, than that step. */
  readonly before?: string;
  readonly after?: string;
}

/** An open question: named after the simulator's switch, with the answers that are thinkable. */
export interface Question {
  readonly id: string;
  readonly asks: string;
  /** The first answer that fits is what the server shows; none is a deviation. */
  readonly either?: readonly Alternative[];
  /** For questions whose answer is a figure or a word. */
  readonly measure?: (seen: Seen) => string | number;
  /** `false`: no switch of a simulator stands for it. */
  readonly hasSwitch?: false;
}

export interface Alternative {
  readonly shows: string;
  /** Step names with what is seen in them. */
  readonly when: Readonly<Record<string, Expectation>>;
}

export interface Also {
  readonly says: string;
  readonly holds: (seen: Seen) => boolean;
}

/** What came back, by step name. */
export interface Seen {
  answer(step: string): Answer;
  /** Every answer of a repeated step. */
  answers(step: string): readonly Answer[];
  /** By path in the body of that step's answer. */
  value(step: string, path: string): unknown;
}

/** One answer, as it came or as it was recorded. */
export interface Answer {
  /** Null when the connection ended without one. */
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
  /** The body when it is no JSON; in a recording a note about it. */
  readonly text: string;
  /** Why no answer came. */
  readonly failure: string | null;
  /** Milliseconds since the run began. */
  readonly startedMs: number;
  readonly endedMs: number;
}
