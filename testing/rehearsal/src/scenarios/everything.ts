import type { Blow, Scenario } from '../scenario';

const possible: readonly Blow[] = [
  { kind: 'filemaker-away', mode: 'refuse', seconds: 5 },
  { kind: 'filemaker-away', mode: 'bad-gateway', seconds: 5 },
  { kind: 'filemaker-hangs', when: 'before', seconds: 3 },
  { kind: 'filemaker-hangs', when: 'after', seconds: 3 },
  { kind: 'filemaker-full', seconds: 4 },
  { kind: 'filemaker-restarts', awaySeconds: 2 },
  { kind: 'invoices-locked', fraction: 0.05, seconds: 6 },
  { kind: 'redis-flushed' },
  { kind: 'redis-flushed' },
  { kind: 'redis-away', seconds: 4 },
  { kind: 'postgres-restarts', how: 'stop', awaySeconds: 2 },
  { kind: 'postgres-restarts', how: 'kill', awaySeconds: 2 },
  { kind: 'worker-killed', scriptsStand: 'before-commit' },
  { kind: 'worker-killed', scriptsStand: 'after-commit' },
  { kind: 'apps-replaced' },
  { kind: 'stripe-away', seconds: 5 },
];
const blowCount = 9;

export const everything: Scenario = {
  name: 'everything',
  story:
    'nine disasters drawn by the seed came at once, with cut answers, repeated webhooks and slow scripts throughout',
  load: { payments: 300, overSeconds: 40 },
  filemaker: { scriptMs: 80, scriptSpreadMs: 60 },
  delivery: { duplicateFraction: 0.3, twinFraction: 0.1, shuffleWindowMs: 1_500 },
  blows: (chance) => [
    { at: { sold: 0 }, blow: { kind: 'answers-cut', when: 'before', fraction: 0.05 } },
    { at: { sold: 0 }, blow: { kind: 'answers-cut', when: 'after', fraction: 0.05 } },
    ...chance
      .shuffled(possible)
      .slice(0, blowCount)
      .map((blow) => ({ sold: chance.between(0.05, 0.95), blow }))
      .sort((left, right) => left.sold - right.sold)
      .map(({ sold, blow }) => ({ at: { sold }, blow })),
  ],
};
