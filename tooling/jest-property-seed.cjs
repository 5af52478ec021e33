// Generated cases are the same in each run of one commit: who changes a line of the README does not get red for a case
// that no one had met before. New ones are looked for with PROPERTY_SEED=random (each night in the Actions workflow) and
// PROPERTY_TIMES, which multiplies the runs of every property. What is found becomes a case of its own beside the property.
const fc = require('fast-check');

const FIXED_SEED = 20261123;
const { env } = process;
const wanted = env.PROPERTY_SEED ?? String(FIXED_SEED);
const times = Number(env.PROPERTY_TIMES ?? '1');

if (wanted !== 'random' && !/^-?\d+$/.test(wanted)) {
  throw new Error(`PROPERTY_SEED is a whole number or "random", not "${wanted}".`);
}
if (!Number.isInteger(times) || times < 1) {
  throw new Error(`PROPERTY_TIMES is a whole number of 1 or more, not "${env.PROPERTY_TIMES}".`);
}

fc.configureGlobal(wanted === 'random' ? {} : { seed: Number(wanted) });

if (times > 1) {
  // A call's own `numRuns` would win over the global one. Who imports the default gets another object.
  for (const api of new Set([fc, fc.default])) {
    const { assert } = api;
    api.assert = (property, parameters = {}) =>
      assert(property, { ...parameters, numRuns: (parameters.numRuns ?? 100) * times });
  }
}
