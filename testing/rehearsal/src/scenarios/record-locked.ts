import type { Scenario } from '../scenario';

export const recordLocked: Scenario = {
  name: 'record-locked',
  story: 'a person had a tenth of the invoices open for 12 s (301)',
  load: { payments: 150, overSeconds: 8 },
  blows: [{ at: { sold: 0 }, blow: { kind: 'invoices-locked', fraction: 0.1, seconds: 12 } }],
};
