import fc from 'fast-check';
import { decideLogins, effectiveCap, holdAfterFailureMs, type LoginFacts } from './login-decision';

const calm: LoginFacts = {
  cap: 5,
  sessions: 0,
  loginsUnderWay: 0,
  open: 1,
  loginsAtOnce: 2,
  loginEveryMs: 200,
  nextLoginInMs: 0,
  heldForMs: 0,
  heldBecause: undefined,
  failures: 0,
  restartSuspected: false,
  shrunkBy: 0,
  shrunkAgoMs: 0,
  capacityHoldMs: 180_000,
};

const anyFacts = fc.record({
  cap: fc.integer({ min: 1, max: 50 }),
  sessions: fc.nat(60),
  loginsUnderWay: fc.nat(10),
  open: fc.nat(3),
  loginsAtOnce: fc.integer({ min: 1, max: 20 }),
  loginEveryMs: fc.integer({ min: 1, max: 1_000 }),
  nextLoginInMs: fc.integer({ min: -10_000, max: 10_000 }),
  heldForMs: fc.integer({ min: -1_000, max: 1_000 }),
  heldBecause: fc.constantFrom(undefined, 'capacity' as const, 'unavailable' as const),
  failures: fc.nat(5),
  restartSuspected: fc.boolean(),
  shrunkBy: fc.nat(60),
  shrunkAgoMs: fc.nat(1_000_000),
  capacityHoldMs: fc.integer({ min: 1, max: 300_000 }),
});

test('logins never go past the effective cap nor past the number at once, however many are wanted', () => {
  fc.assert(
    fc.property(anyFacts, fc.nat(30), (given, wanted) => {
      const cap = effectiveCap(given);
      expect(cap).toBeGreaterThanOrEqual(1);
      expect(cap).toBeLessThanOrEqual(given.cap);
      const { count, refusal } = decideLogins(given, wanted);
      expect(count).toBeLessThanOrEqual(wanted);
      expect(refusal === undefined).toBe(count === wanted);
      if (count === 0) return;
      expect(given.sessions + count).toBeLessThanOrEqual(cap);
      expect(given.loginsUnderWay + count).toBeLessThanOrEqual(
        given.failures > 0 || given.restartSuspected || given.open === 0 ? 1 : given.loginsAtOnce,
      );
      expect(given.heldForMs > 0 && given.heldBecause !== undefined).toBe(false);
    }),
  );
});

test('while no session stands, one login tries the ground for all; the others follow together', () => {
  const ten = { ...calm, cap: 10, loginsAtOnce: 10, open: 0 };
  expect(decideLogins(ten, 10)).toMatchObject({ count: 1, refusal: { why: 'logins-at-once' } });
  expect(decideLogins({ ...ten, sessions: 1, loginsUnderWay: 1 }, 10).count).toBe(0);
  expect(decideLogins({ ...ten, sessions: 1, open: 1 }, 9).count).toBe(9);
});

// A storm: callers want sessions all the time, and every session is gone as soon as it is open (952 after 952).
test('in any stretch of time there are at most a burst of logins and the even pace, however they are asked for', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(700), wanted: fc.integer({ min: 1, max: 30 }) }), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50 }), (all, burst, perSecond) => {
      const loginEveryMs = 1_000 / perSecond;
      let now = 0;
      let nextLoginAt = 0;
      const begun: number[] = [];
      for (const { afterMs, wanted } of all) {
        now += afterMs;
        const facts = { ...calm, cap: 1_000, loginsAtOnce: burst, loginEveryMs, nextLoginInMs: nextLoginAt - now };
        const { count } = decideLogins(facts, wanted);
        // As the row of the pool is written.
        if (count > 0) nextLoginAt = Math.max(nextLoginAt, now) + count * loginEveryMs;
        for (let each = 0; each < count; each += 1) begun.push(now);
      }
      // The worst stretch that ends with each login: how far it is past what the even pace alone allows.
      const excess = begun.map((end, to) =>
        Math.max(...begun.slice(0, to + 1).map((start, from) => to - from + 1 - ((end - start) * perSecond) / 1_000)),
      );
      expect(Math.max(0, ...excess)).toBeLessThanOrEqual(burst + 1e-6);
    }),
  );
});

test('after a rest a whole burst may begin together, and then one for each interval', () => {
  const ten = { ...calm, cap: 20, loginsAtOnce: 10, nextLoginInMs: -60_000 };
  expect(decideLogins(ten, 30).count).toBe(10);
  const spent = { ...ten, sessions: 10, nextLoginInMs: 10 * 200 };
  expect(decideLogins(spent, 30)).toMatchObject({ count: 0, refusal: { why: 'rate', retryAfterMs: 200 } });
  expect(decideLogins({ ...spent, nextLoginInMs: 9 * 200 }, 30).count).toBe(1);
  expect(decideLogins({ ...spent, nextLoginInMs: 5 * 200 }, 30).count).toBe(5);
});

test('a refusal for capacity takes one place away, and one comes back for each hold that passes', () => {
  const shrunk = { ...calm, shrunkBy: 2 };
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 0 })).toBe(3);
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 180_000 })).toBe(4);
  expect(effectiveCap({ ...shrunk, shrunkAgoMs: 360_000 })).toBe(5);
});

test('after a failure or a restart only one login tries the ground', () => {
  expect(decideLogins({ ...calm, loginsAtOnce: 5 }, 5).count).toBe(5);
  expect(decideLogins({ ...calm, loginsAtOnce: 5, failures: 1 }, 5)).toMatchObject({
    count: 1,
    refusal: { why: 'logins-at-once' },
  });
  expect(decideLogins({ ...calm, loginsAtOnce: 5, restartSuspected: true }, 5).count).toBe(1);
  expect(decideLogins({ ...calm, loginsAtOnce: 5, loginsUnderWay: 1, failures: 1 }, 5).count).toBe(0);
});

test('each kind of refusal says when to ask again', () => {
  const refusalOf = (facts: LoginFacts) => decideLogins(facts, 1).refusal;
  expect(refusalOf({ ...calm, sessions: 5 })).toMatchObject({ why: 'cap', retryAfterMs: 500, sessions: 5 });
  expect(refusalOf({ ...calm, nextLoginInMs: 320.4 })).toEqual({ why: 'rate', retryAfterMs: 121, sessions: 0 });
  expect(refusalOf({ ...calm, heldForMs: 700, heldBecause: 'unavailable' })).toEqual({
    why: 'held',
    retryAfterMs: 700,
    because: 'unavailable',
    sessions: 0,
  });
});

test('an absent FileMaker is asked about within a second, one without room ever more rarely', () => {
  expect([1, 2, 3, 4, 50].map((n) => holdAfterFailureMs('unavailable', n))).toEqual([200, 400, 600, 800, 800]);
  expect([1, 2, 3, 50].map((n) => holdAfterFailureMs('capacity', n))).toEqual([1_000, 2_000, 4_000, 60_000]);
});
