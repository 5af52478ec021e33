import type { Voice } from './rehearse';

export interface WatcherVoice extends Voice {
  /** What is being played now. */
  begin(name: string): void;
  /** Takes the progress line away. */
  clear(): void;
}

/** Lines for a person at a terminal, the last of which tells how far it has come; silent where nobody watches. */
export function createVoice(write: ((text: string) => void) | undefined, elapsedMs: () => number): WatcherVoice {
  let name = '';
  let last = '';
  const print = write ?? (() => undefined);
  const clear = (): void => {
    if (last !== '') print('\r\u001b[2K');
    last = '';
  };
  const time = (): string => `${(elapsedMs() / 1_000).toFixed(1).padStart(6)} s`;
  return {
    begin: (started) => {
      name = started;
      clear();
      print(`${time()}  ${name}: starting PostgreSQL, Redis, stand-ins and apps\n`);
    },
    note: (sentence) => {
      clear();
      print(`${time()}  ${name}: ${sentence}\n`);
    },
    progress: ({ sold, payments, applied }) => {
      const line = `${time()}  ${name}: ${sold} of ${payments} paid, ${applied} applied in FileMaker`;
      clear();
      print(line);
      last = line;
    },
    clear,
  };
}
