import fc from 'fast-check';
import { decideLogin, effectiveCap, holdAfterFailureMs, type LoginFacts } from './login-decision';

const calm: LoginFacts = {
  cap: 5,
  sessions: 0,
  loginsUnderWay: 0,
  loginsAtOnce: 2,
  nextLoginInMs: 0,
  heldForMs: 0,
  heldBecause: undefined,
  failures: 0,
  shrunkBy: 0,
  shrunkAgoMs: 0,
  capacityHoldMs: 180_000,
};

test('a login never goes past the effective cap, whatever else is true', () => {
  const facts = fc.record({
    cap: fc.integer({ min: 1, max: 50 }),
    sessions: fc.nat(60),
    loginsUnderWay: fc.nat(10),
    loginsAtOnce: fc.integer({ min: 1, max: 5 }),
    nextLoginInMs: fc.integer({ min: -1_000, max: 1_000 }),
    heldForMs: fc.integer({ min: -1_000, max: 1_000 }),
    heldBecause: fc.constantFrom(undefined, 'capacity' as const, 'unavailable' as const),
    failures: fc.nat(5),
    shrunkBy: fc.nat(60),
    shrunkAgoMs: fc.nat(1_000_000),
    capacityHoldMs: fc.integer({ min: 1, max: 300_000 }),
  });
  fc.assert(
    fc.property(facts, (given) => {
      const cap = effectiveCap(given);
      expect(cap).toBeGreaterThanOrEqual(1);
      expect(cap).toBeLessThanOrEqual(given.cap);
      if (decideLogin(given).go) {
        expect(given.sessions).toBeLessThan(cap);
        expect(given.loginsUnderWay).toBeLessThan(given.loginsAtOnce);
        expect(given.nextLoginInMs).toBeLessThanOrEqual(0);
      }
    }),
  );
});

test('a refusal for capacity takes one place away, and one comes back for each hold that passes', () => {
  const shrunk = { ...calm, shrunkBy: 2 };
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 0 })).toBe(3);
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 180_000 })).toBe(4);
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 360_000 })).toBe(5);
});

test('after a failure only one login tries the ground', () => {
  expect(decideLogin({ ...calm, loginsUnderWay: 1 })).toEqual({ go: true });
  expect(decideLogin({ ...calm, loginsUnderWay: 1, failures: 1 })).toMatchObject({ go: false, why: 'logins-at-once' });
});

test('each kind of refusal says when to ask again', () => {
  expect(decideLogin({ ...calm, sessions: 5 })).toMatchObject({ why: 'cap', retryAfterMs: 500 });
  expect(decideLogin({ ...calm, nextLoginInMs: 120.4 })).toEqual({ go: false, why: 'rate', retryAfterMs: 121 });
  expect(decideLogin({ ...calm, heldForMs: 700, heldBecause: 'unavailable' })).toEqual({
    go: false,
    why: 'held',
    retryAfterMs: 700,
    because: 'unavailable',
  });
});

test('an absent FileMaker is asked about within a second, one without room ever more rarely', () => {
  expect([1, 2, 3, 4, 50].map((n) => holdAfterFailureMs('unavailable', n))).toEqual([200, 400, 600, 800, 800]);
  expect([1, 2, 3, 50].map((n) => holdAfterFailureMs('capacity', n))).toEqual([1_000, 2_000, 4_000, 60_000]);
});
