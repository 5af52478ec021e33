import type { lookAtFileMaker, lookAtStripe } from '@bridge/operations';

/** What is asked, looked at and chosen. Without a prompter nobody is asked and nothing is contacted. */
export interface Answers {
  /** By variable, some as `NAME_FILE`. */
  readonly values: Map<string, string>;
  readonly mode: string;
  readonly layout: string;
  readonly script: string;
  readonly logLayout: string | undefined;
  readonly handoffLayout: string | undefined;
}

/** Where the answers come from; tests put their own in. */
export interface InitPeers {
  lookAtStripe: typeof lookAtStripe;
  lookAtFileMaker: typeof lookAtFileMaker;
}
