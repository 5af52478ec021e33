import type { ArrangeStep } from '../contract-case';
import type { RealArrangement } from '../stage';

/** Everything that a case may ask for beside requests, and how it comes about at a real server. */
export const ARRANGEMENTS = {
  'hold scripts': { by: 'itself' },
  'let scripts go': { by: 'itself' },
  'a script is running': { by: 'waiting', seconds: () => 2 },
  'one more request has arrived': { by: 'waiting', seconds: () => 2 },
  'the server has noticed': { by: 'waiting', seconds: () => 2 },
  'all scripts are over': {
    by: 'waiting',
    seconds: (how, { slowSeconds }) => Number(how.seconds ?? Number(slowSeconds) + 5),
  },
  'scripts take their time': { by: 'itself' },
  'records take their time': { by: 'itself' },
  'minutes pass': { by: 'waiting', seconds: ({ minutes }) => Number(minutes) * 60 },
  'more minutes pass': { by: 'waiting', seconds: ({ minutes }) => Number(minutes) * 60 },
  'restart the engine': {
    by: 'operator',
    please: 'Restart the Data API engine now: fmsadmin restart fmdapi (or Admin Console, Connectors, Data API).',
  },
  'disconnect the sessions': {
    by: 'operator',
    please: 'Disconnect the Data API clients of this account now: Admin Console, Databases, Clients.',
  },
  'somebody edits the invoice': {
    by: 'operator',
    please: 'Open the test invoice in FileMaker Pro, begin to type in a field, and leave the record uncommitted.',
  },
  'nobody edits the invoice': { by: 'operator', please: 'Revert that record in FileMaker Pro (Escape).' },
} as const satisfies Record<string, RealArrangement>;

export type Arrangement = keyof typeof ARRANGEMENTS;

export function arrange(what: Arrangement, how: ArrangeStep['how'] = {}): ArrangeStep {
  return { do: 'arrange', what, how };
}
