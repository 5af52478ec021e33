import type { Answer, ContractCase, Exchange, Risk, Step } from './contract-case';
import type { Variables } from './placeholders';
import type { Pseudonyms } from './redaction';
import type { RealArrangement } from './stage';

/** All that is known about one service. */
export interface Suite {
  readonly name: 'filemaker' | 'stripe';
  /** Put before every path that does not begin with `//`. */
  readonly basePath: string;
  readonly codePath: string;
  readonly cases: readonly ContractCase[];
  /** What each placeholder means that an operator gives by `--with name=value`. */
  readonly needs: Readonly<Record<string, string>>;
  readonly arrangements: Readonly<Record<string, RealArrangement>>;
  readonly encodeBody: (body: unknown) => string;
  /** What one exchange may do to a server. */
  readonly risksOf: (exchange: Exchange) => readonly Risk[];
  /** Makes answers fit to be shown to others. */
  readonly redact: (answer: Answer, pseudonyms: Pseudonyms, variables: Variables) => Answer;
  /** The variables of a run that a recording may keep as they are. */
  readonly plainVariables: readonly string[];
}

/** Placeholders that every run has, or that a stage or runner fills. */
export const BUILT_IN: readonly string[] = ['run', 'key', 'each'];

export function exchangesOf({ steps, afterwards = [] }: ContractCase): Exchange[] {
  return [...steps, ...afterwards].filter(
    (step): step is Extract<Step, Exchange> => step.do === 'call' || step.do === 'start',
  );
}
