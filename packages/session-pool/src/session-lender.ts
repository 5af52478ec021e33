import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { PoolError } from './pool-error';
import type { RedisKeys } from './redis-keys';
import { withinLimit } from './time-limit';

/** Resolves from `src` and from `dist` alike: the build copies no Lua. */
const SCRIPTS = join(__dirname, '..', 'src', 'scripts');

/** A script of `scripts/`; its file name ends with its number of keys. */
class RedisScript {
  readonly #text: string;
  readonly #sha1: string;

  constructor(
    name: string,
    readonly keys: readonly string[],
  ) {
    this.#text = readFileSync(join(SCRIPTS, `${name}-${keys.length}.lua`), 'utf8');
    this.#sha1 = createHash('sha1').update(this.#text).digest('hex');
  }

  async run(redis: Redis, argv: readonly (string | number)[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha1, this.keys.length, ...this.keys, ...argv);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.#text, this.keys.length, ...this.keys, ...argv);
    }
  }
}

export interface LenderOptions {
  redis: Redis;
  keys: RedisKeys;
  /** Longest wait for one answer of Redis. */
  redisTimeoutMs: number;
  leaseMs: number;
  idleMs: number;
  /** Least time between a lease taken back and its session lent again. */
  quarantineMs: number;
  turnMs: number;
  lineStaleMs: number;
}

export type LendAnswer =
  | { lent: true; sessionId: string; returnedLeaseId: string }
  /** `turnInMs`: an older waiter elsewhere goes first for so long; undefined: nothing is idle. */
  | { lent: false; turnInMs: number | undefined };

export interface QuarantineCase {
  sessionId: string;
  look: number;
  quarantinedForMs: number;
  notBeforeMs: number;
  /** A call may still be running for the session. */
  callMayRun: boolean;
  answeredAgoMs: number;
  reason: string;
}

export interface LentSessions {
  idle: string[];
  leased: { sessionId: string; leaseId: string; owner: string }[];
  quarantined: string[];
}

/** How long a claimed look may take before another keeper looks. */
export const LOOK_CLAIM_MS = 30_000;

const text = (value: unknown): string => String(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const chunks = (values: unknown[], size: number): unknown[][] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, at) => values.slice(at * size, (at + 1) * size));

/** The Redis half of the pool: one method for each script. Every failure is a PoolError POOL_REDIS_DOWN. */
export class SessionLender {
  readonly #options: LenderOptions;
  readonly #scripts: ReturnType<typeof scriptsFor>;

  constructor(options: LenderOptions) {
    this.#options = options;
    this.#scripts = scriptsFor(options.keys);
  }

  async lease(ask: {
    leaseId: string;
    owner: string;
    instance: string;
    waitedMs: number;
    nextWaitedMs: number;
  }): Promise<LendAnswer> {
    const { leaseMs, idleMs, turnMs, lineStaleMs } = this.#options;
    const waited = Math.floor(ask.waitedMs);
    const next = Math.floor(ask.nextWaitedMs);
    const argv = [ask.leaseId, ask.owner, leaseMs, idleMs, ask.instance, waited, next, turnMs, lineStaleMs];
    const [lent, first, second] = list(await this.#run('lease', argv));
    if (Number(lent) === 1) return { lent: true, sessionId: text(first), returnedLeaseId: text(second) };
    return { lent: false, turnInMs: Number(first) < 0 ? undefined : Number(first) };
  }

  async stillMine(sessionId: string, leaseId: string): Promise<boolean> {
    return Number(await this.#run('stillMine', [sessionId, leaseId, this.#options.leaseMs])) === 1;
  }

  async giveBack(
    sessionId: string,
    leaseId: string,
    how: 'idle' | 'unused' | 'quarantine' | 'gone',
    reason: string,
  ): Promise<'done' | 'late' | 'refused'> {
    const { quarantineMs, keys } = this.#options;
    const answer = Number(await this.#run('giveBack', [sessionId, leaseId, how, quarantineMs, keys.channel, reason]));
    return answer === 1 ? 'done' : answer === 2 ? 'late' : 'refused';
  }

  async admit(sessionId: string): Promise<void> {
    await this.#run('admit', [sessionId, this.#options.keys.channel]);
  }

  /** Takes back what has run out and the leases named; answers what was taken. */
  async takeBack(
    leases: readonly { sessionId: string; leaseId: string; reason: string }[],
  ): Promise<{ sessionId: string; reason: string }[]> {
    const named = leases.flatMap((lease) => [lease.sessionId, lease.leaseId, lease.reason]);
    const taken = list(await this.#run('takeBack', [this.#options.quarantineMs, ...named]));
    return chunks(taken, 2).map(([sessionId, reason]) => ({ sessionId: text(sessionId), reason: text(reason) }));
  }

  async quarantine(entry: {
    sessionId: string;
    which: 'missing' | 'force';
    firstLookMs: number;
    callMayRun: boolean;
    answeredAgoMs: number;
    reason: string;
  }): Promise<boolean> {
    const { sessionId, which, callMayRun, reason } = entry;
    const argv = [
      sessionId,
      which,
      Math.floor(entry.firstLookMs),
      this.#options.quarantineMs,
      callMayRun ? 1 : 0,
      reason,
      Math.max(0, Math.floor(entry.answeredAgoMs)),
    ];
    return Number(await this.#run('quarantine', argv)) === 1;
  }

  async claimDueCases(most: number): Promise<QuarantineCase[]> {
    const claimed = list(await this.#run('claimDue', [LOOK_CLAIM_MS, most]));
    return claimed.map((entry) => {
      const [sessionId, look, quarantinedFor, notBefore, callMayRun, answeredAgo, reason] = list(entry);
      return {
        sessionId: text(sessionId),
        look: Number(look),
        quarantinedForMs: Number(quarantinedFor),
        notBeforeMs: Number(notBefore),
        callMayRun: Number(callMayRun) === 1,
        answeredAgoMs: Number(answeredAgo),
        reason: text(reason),
      };
    });
  }

  /** False when another keeper has the case by now. */
  async settle(
    entry: Pick<QuarantineCase, 'sessionId' | 'look'>,
    verdict: 'idle' | 'later' | 'forget',
    laterMs = 0,
  ): Promise<boolean> {
    const argv = [entry.sessionId, entry.look, verdict, Math.floor(laterMs), this.#options.keys.channel];
    return Number(await this.#run('settle', argv)) === 1;
  }

  /** `olderThanMs` -1 takes all that are idle. */
  async takeOldIdle(olderThanMs: number): Promise<{ sessionId: string; returnedLeaseId: string }[]> {
    const taken = list(await this.#run('takeOldIdle', [olderThanMs, LOOK_CLAIM_MS]));
    return chunks(taken, 2).map(([sessionId, leaseId]) => ({
      sessionId: text(sessionId),
      returnedLeaseId: text(leaseId),
    }));
  }

  async forget(sessionId: string): Promise<boolean> {
    return Number(await this.#run('forget', [sessionId])) === 1;
  }

  async list(): Promise<LentSessions> {
    const [idle, leased, quarantined] = list(await this.#run('list', []));
    return {
      idle: list(idle).map(text),
      leased: chunks(list(leased), 2).map(([sessionId, holder]) => {
        const [leaseId = '', ...owner] = text(holder).split('|');
        return { sessionId: text(sessionId), leaseId, owner: owner.join('|') };
      }),
      quarantined: list(quarantined).map(text),
    };
  }

  /** Nobody of this instance waits any more. */
  async leaveLine(instance: string): Promise<void> {
    const { redis, keys } = this.#options;
    await this.#bounded(redis.zrem(keys.line, instance));
    await this.#bounded(redis.zrem(keys.lineSeen, instance));
  }

  /** One session less is counted: whoever waits may open one. */
  async tellRoom(): Promise<void> {
    await this.#bounded(this.#options.redis.publish(this.#options.keys.channel, 'room'));
  }

  async #run(name: keyof ReturnType<typeof scriptsFor>, argv: readonly (string | number)[]): Promise<unknown> {
    return this.#bounded(this.#scripts[name].run(this.#options.redis, argv));
  }

  /** The connection should have a commandTimeout of its own; this bound holds when it has not. */
  async #bounded<T>(work: Promise<T>): Promise<T> {
    try {
      return await withinLimit(work, this.#options.redisTimeoutMs);
    } catch (cause) {
      throw new PoolError('POOL_REDIS_DOWN', 'Redis could not be asked about FileMaker sessions', { cause });
    }
  }
}

function scriptsFor(k: RedisKeys) {
  return {
    lease: new RedisScript('lease-session', [k.idle, k.leases, k.holders, k.returned, k.line, k.lineSeen]),
    stillMine: new RedisScript('still-mine', [k.leases, k.holders]),
    giveBack: new RedisScript('give-back', [
      k.idle,
      k.leases,
      k.holders,
      k.quarantine,
      k.cases,
      k.answered,
      k.returned,
    ]),
    admit: new RedisScript('admit-session', [
      k.idle,
      k.leases,
      k.holders,
      k.quarantine,
      k.cases,
      k.answered,
      k.returned,
    ]),
    takeBack: new RedisScript('take-back-leases', [k.leases, k.holders, k.quarantine, k.cases]),
    quarantine: new RedisScript('quarantine-session', [k.idle, k.leases, k.holders, k.quarantine, k.cases, k.answered]),
    claimDue: new RedisScript('claim-due-cases', [k.quarantine, k.cases, k.answered]),
    settle: new RedisScript('settle-case', [k.idle, k.quarantine, k.cases, k.answered, k.returned]),
    takeOldIdle: new RedisScript('take-old-idle', [k.idle, k.quarantine, k.cases, k.returned]),
    forget: new RedisScript('forget-session', [k.idle, k.leases, k.quarantine, k.cases, k.answered, k.returned]),
    list: new RedisScript('list-sessions', [k.idle, k.leases, k.holders, k.quarantine]),
  };
}
