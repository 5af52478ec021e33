import type {
  AbandonStep,
  Answer,
  ArrangeStep,
  CallStep,
  ContractCase,
  Exchange,
  Expectation,
  JoinStep,
  Question,
  ReceiveStep,
  Seen,
  StartStep,
  Step,
} from './contract-case';
import { type Judging, judgeAnswer } from './judge-answer';
import { fillText, PlaceholderError, type Variables } from './placeholders';
import { NotRecorded } from './play';
import { readPath } from './read-path';
import { CannotArrange, type Stage } from './stage';
import type { Suite } from './suite';
import type { Place, Transport } from './transport';

export interface CaseResult {
  readonly id: string;
  readonly says: string;
  readonly source: string;
  readonly outcome: 'held' | 'deviates' | 'skipped';
  /** What was not as expected, one sentence each. */
  readonly deviations: readonly string[];
  /** Why it was skipped. */
  readonly reason: string | null;
  readonly answers: readonly QuestionAnswer[];
}

export interface QuestionAnswer {
  readonly question: string;
  readonly asks: string;
  /** Null when the run did not get as far. */
  readonly shows: string | null;
}

export interface CaseParts {
  readonly suite: Suite;
  readonly transport: Transport;
  readonly stage: Stage;
  readonly variables: Variables;
  /** Told of every answer, for the table of codes and HTTP statuses. */
  readonly onAnswer?: (code: unknown, answer: Answer) => void;
}

/** What one case needs is not there; it says nothing about the server. */
class CaseSkipped extends Error {}

/** Plays one case, tidies up whatever happened, and judges it. */
export async function runCase(contractCase: ContractCase, parts: CaseParts): Promise<CaseResult> {
  const play = new CasePlay(contractCase, parts);
  return play.run();
}

interface UnderWay {
  readonly answer: Promise<Answer>;
  readonly stop: AbortController;
  done: boolean;
}

class CasePlay {
  readonly #case: ContractCase;
  readonly #parts: CaseParts;
  readonly #answers = new Map<string, Answer[]>();
  readonly #times = new Map<string, number>();
  readonly #underWay = new Map<string, UnderWay & { readonly exchange: Exchange }>();
  readonly #deviations: string[] = [];
  readonly #orderChecks: (() => void)[] = [];
  #variables: Variables;

  constructor(contractCase: ContractCase, parts: CaseParts) {
    this.#case = contractCase;
    this.#parts = parts;
    this.#variables = { ...parts.variables, key: `${String(parts.variables.run)}-${contractCase.id}` };
  }

  async run(): Promise<CaseResult> {
    const { id, says, source } = this.#case;
    let reason: string | null = null;
    try {
      await this.#parts.stage.prepare(this.#case);
      for (const step of this.#case.steps) await this.#perform(step);
      await this.#allOver();
    } catch (error) {
      reason = this.#unfinished(error);
    }
    await this.#tidyUp();
    if (reason !== null) {
      this.#parts.transport.skipped(id, reason);
      return { id, says, source, outcome: 'skipped', deviations: [], reason, answers: [] };
    }
    const answers = (this.#case.questions ?? []).map((question) => this.#answerTo(question));
    for (const also of this.#case.also ?? []) this.#judgeAlso(also.says, () => also.holds(this.#seen));
    const outcome = this.#deviations.length === 0 ? 'held' : 'deviates';
    return { id, says, source, outcome, deviations: this.#deviations, reason: null, answers };
  }

  /** The reason when the case cannot be played at all; null when it began and could not go on, which is a deviation. */
  #unfinished(error: unknown): string | null {
    if (error instanceof CaseSkipped || error instanceof CannotArrange || error instanceof NotRecorded)
      return error.message;
    if (!(error instanceof PlaceholderError)) throw error;
    this.#deviations.push(`the case could not go on: no answer gave ${error.placeholder}`);
    return null;
  }

  #perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'call':
        return this.#call(step);
      case 'start':
        return this.#start(step);
      case 'join':
        return this.#join(step);
      case 'abandon':
        return this.#abandon(step);
      case 'arrange':
        return this.#arrange(step);
      case 'receive':
        return this.#receive(step);
    }
  }

  async #call(step: CallStep): Promise<void> {
    const { repeat, keepEach = {} } = step;
    if (repeat === undefined) {
      this.#conclude(step, await this.#send(step, 0));
      return;
    }
    const all: Answer[] = [];
    const fits = (answer: Answer): boolean => judgeAnswer(answer, repeat.until, this.#judging).length === 0;
    if (repeat.atOnce === true) {
      all.push(...(await Promise.all(Array.from({ length: repeat.max }, (_, nth) => this.#send(step, nth)))));
    } else {
      while (all.length < repeat.max && !all.some(fits)) all.push(await this.#send(step, all.length));
    }
    for (const [name, path] of Object.entries(keepEach)) {
      const values = all.map((answer) => this.#read(answer, path)).filter((value) => typeof value === 'string');
      this.#variables = { ...this.#variables, [name]: values };
    }
    const counting = all.find(fits) ?? all.at(-1);
    if (counting !== undefined) this.#conclude(step, counting, all);
  }

  async #start(step: StartStep): Promise<void> {
    const stop = new AbortController();
    const started: UnderWay & { readonly exchange: Exchange } = {
      answer: this.#send(step, 0, stop.signal),
      stop,
      done: false,
      exchange: step,
    };
    this.#underWay.set(step.name, started);
  }

  async #join({ name, atMost }: JoinStep): Promise<void> {
    const started = this.#underWay.get(name);
    if (started === undefined || started.done) return;
    const answer = atMost === undefined ? await started.answer : await this.#inTime(started.answer, atMost);
    if (answer === null) return;
    started.done = true;
    this.#conclude(started.exchange, answer);
  }

  async #inTime(answer: Promise<Answer>, atMost: 'long' | 'short'): Promise<Answer | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), this.#parts.stage.patienceMs[atMost]);
    });
    const first = await Promise.race([answer, late]);
    clearTimeout(timer);
    return first;
  }

  async #abandon({ name }: AbandonStep): Promise<void> {
    const started = this.#underWay.get(name);
    if (started === undefined) return;
    started.stop.abort();
    this.#answers.set(name, [await started.answer]);
    started.done = true;
  }

  async #arrange(step: ArrangeStep): Promise<void> {
    await this.#parts.stage.arrange(step, this.#variables);
    this.#times.set(step.what, this.#parts.transport.arranged(this.#place(step.what, '', 0)));
  }

  async #receive(step: ReceiveStep): Promise<void> {
    const place = this.#place(step.name, `receive ${step.about}`, 0);
    this.#conclude({ ...step, line: place.line }, await this.#parts.transport.receive(step, this.#variables, place));
  }

  #send(exchange: Exchange, nth: number, signal = new AbortController().signal): Promise<Answer> {
    const place = this.#place(exchange.name, exchange.line, nth);
    return this.#parts.transport.send(exchange, this.#variables, place, signal);
  }

  /** Takes an answer in: judges it and keeps from it what later steps need. */
  #conclude(exchange: Exchange, answer: Answer, all: readonly Answer[] = [answer]): void {
    this.#answers.set(exchange.name, [answer, ...all.filter((one) => one !== answer)]);
    this.#times.set(exchange.name, answer.endedMs);
    for (const one of all) this.#parts.onAnswer?.(this.#read(one, this.#parts.suite.codePath), one);
    this.#skipWithout(exchange, answer);
    if (exchange.expect !== undefined) this.#judge(exchange.name, answer, exchange.expect);
    for (const [name, path] of Object.entries(exchange.keep ?? {})) {
      const value = this.#read(answer, path);
      if (typeof value === 'string') this.#variables = { ...this.#variables, [name]: value };
      else if (typeof value === 'number') this.#variables = { ...this.#variables, [name]: String(value) };
    }
  }

  /** An answer that is well and lacks what the case is about: there is nothing to look at, which is no deviation. */
  #skipWithout({ keep = {}, orSkip }: Exchange, answer: Answer): void {
    if (orSkip === undefined || answer.status !== 200 || this.#deviations.length > 0) return;
    if (Object.values(keep).some((path) => this.#read(answer, path) === undefined)) throw new CaseSkipped(orSkip);
  }

  /** What came is judged at once; whether it came before or after something, when all times are known. */
  #judge(name: string, answer: Answer, { before, after, ...content }: Expectation): void {
    const say = (faults: readonly string[]): void =>
      void this.#deviations.push(...faults.map((fault) => `${name}: ${fault}`));
    say(judgeAnswer(answer, content, this.#judging));
    const order = { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    if (Object.keys(order).length > 0) this.#orderChecks.push(() => say(judgeAnswer(answer, order, this.#judging)));
  }

  /** Nothing that was started is left alone: its answer is judged, or it has been abandoned. */
  async #allOver(): Promise<void> {
    for (const name of [...this.#underWay.keys()]) await this.#join({ do: 'join', name });
    for (const check of this.#orderChecks) check();
  }

  async #tidyUp(): Promise<void> {
    for (const step of this.#case.afterwards ?? []) {
      const each = step.forEach === undefined ? [undefined] : [...(this.#variables[step.forEach] ?? [])];
      for (const [nth, value] of each.entries()) await this.#tidy(step, nth, value);
    }
    for (const { stop, done } of this.#underWay.values()) if (!done) stop.abort();
  }

  /** What was never made needs no tidying: a missing value, or an exchange that was not recorded, is no fault here. */
  async #tidy(step: CallStep, nth: number, each: string | undefined): Promise<void> {
    if (each !== undefined) this.#variables = { ...this.#variables, each };
    try {
      const answer = await this.#send(step, nth);
      for (const [name, path] of Object.entries(step.keep ?? {})) {
        const value = this.#read(answer, path);
        if (typeof value === 'string') this.#variables = { ...this.#variables, [name]: value };
      }
    } catch (error) {
      if (!(error instanceof PlaceholderError || error instanceof NotRecorded)) throw error;
    }
  }

  #answerTo(question: Question): QuestionAnswer {
    const { id, asks, either = [], measure } = question;
    if (measure !== undefined) return { question: id, asks, shows: this.#measured(measure) };
    const fitting = either.find(({ when }) =>
      Object.entries(when).every(([step, wanted]) => this.#wasSeen(step, wanted)),
    );
    if (fitting !== undefined) return { question: id, asks, shows: fitting.shows };
    if (this.#deviations.length === 0) {
      const known = either.map(({ shows }) => shows).join(', ');
      this.#deviations.push(`${id}: none of the answers that we thought of (${known}); ${this.#summary(either)}`);
    }
    return { question: id, asks, shows: null };
  }

  /** Null when the case did not get as far as the step that is measured. */
  #measured(measure: (seen: Seen) => string | number): string | null {
    try {
      return String(measure(this.#seen));
    } catch (error) {
      if (error instanceof PlaceholderError) return null;
      throw error;
    }
  }

  #wasSeen(step: string, wanted: Expectation): boolean {
    const answer = this.#answers.get(step)?.[0];
    return answer !== undefined && judgeAnswer(answer, wanted, this.#judging).length === 0;
  }

  #summary(either: readonly { readonly when: Readonly<Record<string, Expectation>> }[]): string {
    const steps = new Set(either.flatMap(({ when }) => Object.keys(when)));
    return [...steps]
      .map((step) => {
        const answer = this.#answers.get(step)?.[0];
        if (answer === undefined) return `"${step}" was not played`;
        const code = String(this.#read(answer, this.#parts.suite.codePath));
        return `"${step}" gave HTTP ${answer.status ?? `none (${answer.failure})`}, code ${code}`;
      })
      .join('; ');
  }

  #judgeAlso(says: string, holds: () => boolean): void {
    if (this.#deviations.length === 0 && !holds()) this.#deviations.push(`does not hold: ${says}`);
  }

  get #seen(): Seen {
    const answers = (step: string): readonly Answer[] => this.#answers.get(step) ?? [];
    const answer = (step: string): Answer => {
      const [first] = answers(step);
      if (first === undefined) throw new PlaceholderError(step);
      return first;
    };
    return { answer, answers, value: (step, path) => this.#read(answer(step), path) };
  }

  get #judging(): Judging {
    return {
      fill: (text) => fillText(text, this.#variables),
      codePath: this.#parts.suite.codePath,
      timeOf: (step) => this.#times.get(step),
    };
  }

  #read(answer: Answer, path: string): unknown {
    if (path.startsWith('header:')) return answer.headers[path.slice('header:'.length)];
    return readPath(answer.json, path, (text) => fillText(text, this.#variables));
  }

  #place(step: string, line: string, nth: number): Place {
    return { caseId: this.#case.id, step, line, nth };
  }
}
