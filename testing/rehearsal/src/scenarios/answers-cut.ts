import type { Scenario } from '../scenario';

export const answersCut: Scenario = {
  name: 'answers-cut',
  story:
    'the connection broke at a third of all script calls, half of them before the script and half after it had committed',
  load: { payments: 200, overSeconds: 12 },
  blows: [
    { at: { sold: 0 }, blow: { kind: 'answers-cut', when: 'before', fraction: 0.17 } },
    { at: { sold: 0 }, blow: { kind: 'answers-cut', when: 'after', fraction: 0.2 } },
  ],
};
