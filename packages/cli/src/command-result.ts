import type { Output } from './output';

/** What a command found, for machines and for people. The two are printed by one place, never by a command. */
export interface CommandResult {
  /** The documented object of `--json`; see the README. */
  json: object;
  /** For people, without colours when they are not wanted. Ends without a line feed. */
  text: (output: Output) => string;
  /** Instead of the text, exactly as they are, where no terminal listens. */
  bytes?: Buffer;
  /** False: something was found or refused, exit 1. */
  fine: boolean;
  /** The command has printed JSON lines before: its result is one more line. */
  oneLine?: true;
  /** Zone of the times in the text; a command that shows times gives it. Default UTC. */
  timeZone?: string;
}
