/**
 * Every Redis key of the pool. All share one hash slot, so that a script may touch them together on a cluster. All of
 * it can vanish: the keeper rebuilds it from PostgreSQL. No token is ever stored in Redis. Nothing expires by itself;
 * fields leave with their session, and members of the line after `lineStaleMs` without a sign of life.
 */
export interface RedisKeys {
  /** Sorted set: session id by the Redis time (ms) of its last answered call. May be lent. */
  idle: string;
  /** Sorted set: session id by its lease's deadline (Redis ms). On loan. */
  leases: string;
  /** Hash: session id -> `<lease id>|<owner>`. A field for each member of `leases`. */
  holders: string;
  /** Sorted set: session id by the Redis time (ms) of its next look. Not lent until FileMaker says it is free. */
  quarantine: string;
  /** Hash: session id -> `<since ms>|<looks>|<not before ms>|<1: a call may be unanswered>|<reason>|<lease id>`. */
  cases: string;
  /** Hash: session id -> Redis ms of its last answered call, in every state. */
  answered: string;
  /** Hash: session id -> the lease that was given back last, or absent after a quarantine. */
  returned: string;
  /** Sorted set: pool instance by the arrival (Redis ms) of the waiter at its head. */
  line: string;
  /** Sorted set: pool instance by its last sign of life in the line (Redis ms). */
  lineSeen: string;
  /**
   * Channel, not a key: `freed` when a session became idle, `room` when one less is counted, `waiting <instance>` when
   * an instance joins the line.
   */
  channel: string;
}

/** `prefix` must hold a hash tag, e.g. `{bridge:1234}:filemaker`. */
export function redisKeys(prefix: string): RedisKeys {
  if (!/\{[^{}]+\}/.test(prefix)) {
    throw new TypeError(`The key prefix "${prefix}" needs a hash tag such as {bridge:1234}: scripts use several keys`);
  }
  return {
    idle: `${prefix}:idle`,
    leases: `${prefix}:leases`,
    holders: `${prefix}:holders`,
    quarantine: `${prefix}:quarantine`,
    cases: `${prefix}:cases`,
    answered: `${prefix}:answered`,
    returned: `${prefix}:returned`,
    line: `${prefix}:line`,
    lineSeen: `${prefix}:line-seen`,
    channel: `${prefix}:wake`,
  };
}
