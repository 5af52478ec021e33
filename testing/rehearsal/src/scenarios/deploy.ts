import type { Scenario } from '../scenario';

export const deploy: Scenario = {
  name: 'deploy',
  story: 'every app was ended with SIGTERM and replaced while scripts of a second and a half ran',
  load: { payments: 60, overSeconds: 15 },
  filemaker: { scriptMs: 1_500, scriptSpreadMs: 500 },
  blows: [{ at: { applied: 0.15 }, blow: { kind: 'apps-replaced' } }],
  expects: { unheardAtMost: 0 },
};
