import type { Scenario } from '../scenario';

export const filemakerHang: Scenario = {
  name: 'filemaker-hang',
  story: 'FileMaker took every call and answered none, for 8 s before and for 8 s after doing the work',
  load: { payments: 160, overSeconds: 30 },
  blows: [
    { at: { sold: 0.15 }, blow: { kind: 'filemaker-hangs', when: 'before', seconds: 8 } },
    { at: { sold: 0.6 }, blow: { kind: 'filemaker-hangs', when: 'after', seconds: 8 } },
  ],
  expects: { resumedWithinSeconds: 12, callsAtMost: 120 },
};
