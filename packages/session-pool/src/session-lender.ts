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
  letGoAfterMs: number;
  lineStaleMs: number;
}

/** `others`: processes that wait beside this one. */
export type LendAnswer =
  | { lent: true; others: number; sessionId: string; returnedLeaseId: string }
  /** `turnInMs`: an older waiter elsewhere goes first for so long; undefined: nothing is idle. */
  | { lent: false; others: number; turnInMs: number | undefined };

/** `renewed`: for the next caller here. `given-back`: to an older waiter elsewhere. `refused`: the lease is lost. */
export interface HandOnAnswer {
  outcome: 'renewed' | 'given-back' | 'refused';
  others: number;
}

/** Who asks for a session on behalf of the callers that wait in this process; waits in ms. */
export interface Asking {
  instance: string;
  waitedMs: number;
  /** -1: nobody waits after that one. */
  nextWaitedMs: number;
}

export interface QuarantineCase {
  sessionId: string;
  look: number;
  quarantinedForMs: number;
  notBeforeMs: number;
  /** A call may still be running for the session. */
  callMayRun: boolean;
  answeredAgoMs: number;
  reason: string;
  /** The lease that the case is about; empty when Redis lost it. */
  leaseId: string;
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

  async lease(leaseId: string, owner: string, asking: Asking): Promise<LendAnswer> {
    const { leaseMs, idleMs, turnMs, lineStaleMs, keys } = this.#options;
    const line = [asking.instance, Math.floor(asking.waitedMs), Math.floor(asking.nextWaitedMs), turnMs, lineStaleMs];
    const argv = [leaseId, owner, leaseMs, idleMs, ...line, keys.channel];
    const [lent, waiting, first, second] = list(await this.#run('lease', argv));
    const others = Number(waiting);
    if (Number(lent) === 1) return { lent: true, others, sessionId: text(first), returnedLeaseId: text(second) };
    return { lent: false, others, turnInMs: Number(first) < 0 ? undefined : Number(first) };
  }

  /** Keeps the session for the next caller of this process, unless one elsewhere has clearly waited longer. */
  async handOn(sessionId: string, leaseId: string, asking: Asking): Promise<HandOnAnswer> {
    const { leaseMs, letGoAfterMs, lineStaleMs, keys } = this.#options;
    const waits = [Math.floor(asking.waitedMs), Math.floor(asking.nextWaitedMs)];
    const line = [asking.instance, ...waits, letGoAfterMs, lineStaleMs];
    const answer = list(await this.#run('handOn', [sessionId, leaseId, leaseMs, ...line, keys.channel]));
    const [outcome, others] = answer.map(Number);
    return {
      outcome: outcome === 1 ? 'renewed' : outcome === 2 ? 'given-back' : 'refused',
      others: others ?? 0,
    };
  }

  /** `answeredAgoMs`: since the last answered call of the lease that Redis was not told of. */
  async stillMine(sessionId: string, leaseId: string, answeredAgoMs?: number): Promise<boolean> {
    const ago = answeredAgoMs === undefined ? -1 : Math.floor(answeredAgoMs);
    return Number(await this.#run('stillMine', [sessionId, leaseId, this.#options.leaseMs, ago])) === 1;
  }

  /** `about`: the lease that a quarantine is about, where PostgreSQL knows a later one. */
  async giveBack(
    sessionId: string,
    leaseId: string,
    how: 'idle' | 'unused' | 'quarantine' | 'gone',
    reason: string,
    about = leaseId,
  ): Promise<'done' | 'late' | 'refused'> {
    const { quarantineMs, keys } = this.#options;
    const argv = [sessionId, leaseId, how, quarantineMs, keys.channel, reason, about];
    const answer = Number(await this.#run('giveBack', argv));
    return answer === 1 ? 'done' : answer === 2 ? 'late' : 'refused';
  }

  async admit(sessionId: string): Promise<void> {
    await this.#run('admit', [sessionId, this.#options.keys.channel]);
  }

  /** Takes back what has run out and the leases named; answers what was taken. */
  async takeBack(
    leases: readonly { sessionId: string; leaseId: string; reason: string; holdMs: number }[],
  ): Promise<{ sessionId: string; reason: string }[]> {
    const named = leases.flatMap((lease) => [lease.sessionId, lease.leaseId, lease.reason, lease.holdMs]);
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
    /** The lease that PostgreSQL knows last. */
    leaseId: string | undefined;
  }): Promise<boolean> {
    const { sessionId, which, callMayRun, reason, leaseId = '' } = entry;
    const argv = [
      sessionId,
      which,
      Math.floor(entry.firstLookMs),
      this.#options.quarantineMs,
      callMayRun ? 1 : 0,
      reason,
      Math.max(0, Math.floor(entry.answeredAgoMs)),
      leaseId,
    ];
    return Number(await this.#run('quarantine', argv)) === 1;
  }

  async claimDueCases(most: number): Promise<QuarantineCase[]> {
    const claimed = list(await this.#run('claimDue', [LOOK_CLAIM_MS, most]));
    return claimed.map((entry) => {
      const [sessionId, look, quarantinedFor, notBefore, callMayRun, answeredAgo, reason, leaseId] = list(entry);
      return {
        sessionId: text(sessionId),
        look: Number(look),
        quarantinedForMs: Number(quarantinedFor),
        notBeforeMs: Number(notBefore),
        callMayRun: Number(callMayRun) === 1,
        answeredAgoMs: Number(answeredAgo),
        reason: text(reason),
        leaseId: text(leaseId),
      };
    });
  }

  /** Ms until the next quarantined session is due, 0 when one is; undefined: none is quarantined. */
  async nextLookInMs(): Promise<number | undefined> {
    const inMs = Number(await this.#run('nextLook', []));
    return inMs < 0 ? undefined : inMs;
  }

  /** False when another keeper has the case by now. */
  async settle(
    entry: Pick<QuarantineCase, 'sessionId' | 'look'>,
    verdict: 'idle' | 'later' | 'forget',
    laterMs = 0,
  ): Promise<boolean> {
    const argv = [entry.sessionId, entry.look, verdict, Math.floor(laterMs), this.#options.keys.channel, ''];
    return Number(await this.#run('settle', argv)) === 1;
  }

  /** The case was about an earlier lease than the one PostgreSQL knows: the whole quarantine begins again for that one. */
  async beginAnew(entry: Pick<QuarantineCase, 'sessionId' | 'look'>, leaseId: string): Promise<boolean> {
    const { quarantineMs, keys } = this.#options;
    const argv = [entry.sessionId, entry.look, 'anew', quarantineMs, keys.channel, leaseId];
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
    handOn: new RedisScript('hand-on', [k.idle, k.leases, k.holders, k.answered, k.returned, k.line, k.lineSeen]),
    stillMine: new RedisScript('still-mine', [k.leases, k.holders, k.answered]),
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
    nextLook: new RedisScript('next-look', [k.quarantine]),
    settle: new RedisScript('settle-case', [k.idle, k.quarantine, k.cases, k.answered, k.returned]),
    takeOldIdle: new RedisScript('take-old-idle', [k.idle, k.quarantine, k.cases, k.returned]),
    forget: new RedisScript('forget-session', [k.idle, k.leases, k.quarantine, k.cases, k.answered, k.returned]),
    list: new RedisScript('list-sessions', [k.idle, k.leases, k.holders, k.quarantine]),
  };
}
