import { cautionFor } from './recovery-start';

const at = new Date('2026-11-20T12:00:00Z');
const before = new Date('2026-11-20T11:59:59Z');
const said = { at, because: 'golive', live: true, restoredAt: null } as const;
const configured = { at, because: 'RECONCILE_FROM', live: true, restoredAt: null } as const;
const fresh = { at, because: 'first-migration', live: false, restoredAt: null } as const;

test('money from before golive is only asked about, whatever brings it; from that moment on it runs', () => {
  for (const source of ['webhook', 'pull', 'reconciliation'] as const) {
    expect(cautionFor({ movedAt: before, source }, { start: said, observe: false })).toBe('ask-only');
    expect(cautionFor({ movedAt: at, source }, { start: said, observe: false })).toBe('none');
  }
  expect(cautionFor({ movedAt: before, source: 'operator' }, { start: said, observe: false })).toBe('none');
});

test('without that word only recovery leaves older money alone: a webhook that is late is no surprise', () => {
  const live = { start: configured, observe: false };
  expect(cautionFor({ movedAt: before, source: 'reconciliation' }, live)).toBe('ask-only');
  expect(cautionFor({ movedAt: before, source: 'webhook' }, live)).toBe('none');
  expect(cautionFor({ movedAt: before, source: 'pull' }, live)).toBe('none');
});

test('what is planned while observing waits for golive, unless the bridge has performed here before', () => {
  const movedAt = new Date('2026-11-21T00:00:00Z');
  expect(cautionFor({ movedAt, source: 'webhook' }, { start: fresh, observe: true })).toBe('ask-only');
  expect(cautionFor({ movedAt, source: 'webhook' }, { start: said, observe: true })).toBe('none');
  expect(cautionFor({ movedAt, source: 'webhook' }, { start: configured, observe: true })).toBe('none');
  expect(cautionFor({ movedAt, source: 'webhook' }, { start: fresh, observe: false })).toBe('none');
});

test('money from before a restore begins with a question, whatever brings it, and newer money does not', () => {
  const restoredAt = new Date('2026-11-21T00:00:00Z');
  const start = { ...said, restoredAt };
  const justBefore = new Date(restoredAt.getTime() - 1);
  for (const source of ['webhook', 'pull', 'reconciliation', 'operator'] as const) {
    expect(cautionFor({ movedAt: justBefore, source }, { start, observe: false })).toBe('ask-first');
    expect(cautionFor({ movedAt: restoredAt, source }, { start, observe: false })).toBe('none');
  }
  expect(cautionFor({ movedAt: before, source: 'webhook' }, { start, observe: false })).toBe('ask-only');
});
