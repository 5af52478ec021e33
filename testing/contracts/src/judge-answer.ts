import type { Answer, Expectation } from './contract-case';
import { readPath } from './read-path';
import { fitsWant, sayWant, type Want } from './wants';

/** What an expectation needs to know beside the answer. */
export interface Judging {
  readonly fill: (text: string) => string;
  /** Where the service's own code stands in a body. */
  readonly codePath: string;
  /** When that step was over, milliseconds since the run began. */
  readonly timeOf: (step: string) => number | undefined;
}

const SHOWN_MAX = 120;

/** What differs from the expectation, one sentence each; empty when all is as expected. */
export function judgeAnswer(answer: Answer, expectation: Expectation, judging: Judging): string[] {
  const { fill, codePath } = judging;
  const faults: string[] = [];
  const want = (what: string, value: unknown, wanted: Want): void => {
    if (fitsWant(wanted, value, fill)) return;
    const wish = typeof wanted === 'string' ? JSON.stringify(fill(wanted)) : sayWant(wanted);
    faults.push(`${what} should be ${wish} and is ${shown(value)}`);
  };
  const { answered = true, status, json, code, headers = {}, body = {}, before, after } = expectation;
  if (answered && answer.status === null) return [`an answer should come, and none came (${answer.failure})`];
  if (!answered) return answer.status === null ? [] : [`no answer should come, and HTTP ${answer.status} came`];
  if (status !== undefined) want('HTTP status', answer.status, status);
  if (json !== undefined) want('a JSON body', answer.json !== undefined, json);
  if (code !== undefined) want(codePath, readPath(answer.json, codePath, fill), code);
  for (const [name, wanted] of Object.entries(headers)) want(`header ${name}`, answer.headers[name], wanted);
  for (const [path, wanted] of Object.entries(body)) want(path, readPath(answer.json, path, fill), wanted);
  if (before !== undefined && !(answer.endedMs < (judging.timeOf(before) ?? Number.NaN)))
    faults.push(`the answer should come before "${before}" and came after it`);
  if (after !== undefined && !(answer.endedMs >= (judging.timeOf(after) ?? Number.NaN)))
    faults.push(`the answer should come after "${after}" and came before it`);
  return faults;
}

function shown(value: unknown): string {
  if (value === undefined) return 'not there';
  const text = JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
