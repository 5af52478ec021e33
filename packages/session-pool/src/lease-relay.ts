import type { Lease, LeaseEnding, LeaseRequest } from './lease';
import type { SessionPool } from './session-pool';

/** Times in ms. */
export interface LeaseRelayOptions {
  pool: Pick<SessionPool, 'lease' | 'stillMine' | 'giveBack' | 'census'>;
  /** So long after it was lent a lease takes no more callers and goes back, for other processes to have their turn. */
  passOnForMs?: number;
  /** Must not throw. */
  onFailure?: (error: Error) => void;
}

/** One caller's turn with a lease: for one request, or a few that follow each other. */
export interface LeaseTurn {
  /** Known before the turn begins, so that it can be written down which session will carry the call. */
  readonly lease: Lease;
  /**
   * Asked right before the first byte; waits for the call before to end, `TURN_WAIT_MS` at most. False: the lease is not
   * or no longer ours, send nothing. Rejects with POOL_REDIS_DOWN, which means the same.
   */
  isMine(): Promise<boolean>;
  /** As `giveBack` of the pool. May be called before the turn has begun; a second call changes nothing. Never rejects. */
  end(how: LeaseEnding): Promise<void>;
}

/** Passes leases on inside a process while all sessions are out. */
export interface LeaseRelay {
  /**
   * A turn on a lease of its own, or, when all sessions are out and `early` is given, the next one on a lease that this
   * process holds. Not for a call whose loss nobody can settle by asking: should the process die while the turn is waited
   * for, the call looks like one that may have been sent. Rejects as `lease` of the pool does.
   */
  turn(request: LeaseRequest & { early?: boolean }): Promise<LeaseTurn>;
}

/** A turn that has not begun by then never does. Whoever counts time from before the turn adds this. */
export const TURN_WAIT_MS = 2_000;

const PASS_ON_FOR_MS = 5_000;
/** With longer calls than this nobody waits for a turn beforehand: it would gain nothing and might wait in vain. */
const SHORT_CALL_MS = 500;
/** Weight of the last call in what a call is expected to take. */
const LAST_CALL_WEIGHT = 0.2;
/** How old the knowledge that all sessions are out may be. */
const FULL_KNOWN_MS = 500;

/** A lease that this process holds, with who is at work on it and who comes next. */
interface Relayed {
  lease: Lease;
  lentAt: number;
  turnSince: number;
  next: WaitingTurn | undefined;
}

interface WaitingTurn {
  /** False: the turn never comes. */
  begin(comes: boolean): void;
}

/**
 * Passes a lease from one caller to the next without asking Redis and PostgreSQL in between, while all sessions are out.
 * The next caller knows its session beforehand and can do all that has to be done before the first byte while the call
 * before is still running. What makes it safe: one caller is at work at a time; only an answered call is followed by
 * another; `isMine` still confirms the lease; after `passOnForMs` it goes back to the pool.
 */
export function createLeaseRelay(options: LeaseRelayOptions): LeaseRelay {
  const { pool } = options;
  const passOnForMs = options.passOnForMs ?? PASS_ON_FOR_MS;
  const held = new Set<Relayed>();
  let full = false;
  /** Since `full` was found out: sessions that went back while nobody here waited for one, less those taken again. */
  let freed = 0;
  let inLine = 0;
  let expectedCallMs = Number.POSITIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  /** In the background: whoever asks meanwhile goes by what was known, and at worst waits in the pool's own line. */
  function lookWhetherFull(): void {
    if (looking !== undefined || performance.now() - lookedAt < FULL_KNOWN_MS) return;
    looking = pool
      .census()
      .then(
        ({ opening, idle, leased, quarantined, closing, effectiveCap }) => {
          full = idle === 0 && opening + leased + quarantined + closing >= effectiveCap;
          freed = 0;
        },
        (error: Error) => {
          full = false;
          options.onFailure?.(error);
        },
      )
      .finally(() => {
        lookedAt = performance.now();
        looking = undefined;
      });
  }

  /** The lease whose present call began first: it is likely to be the first to end. */
  function soonestFree(): Relayed | undefined {
    const latest = performance.now() - passOnForMs;
    let best: Relayed | undefined;
    for (const relayed of held) {
      if (relayed.next !== undefined || relayed.lentAt <= latest) continue;
      if (best === undefined || relayed.turnSince < best.turnSince) best = relayed;
    }
    return best;
  }

  function noteCall(tookMs: number): void {
    const known = Number.isFinite(expectedCallMs) ? expectedCallMs : tookMs;
    expectedCallMs = known + (tookMs - known) * LAST_CALL_WEIGHT;
  }

  async function finish(relayed: Relayed, how: LeaseEnding): Promise<void> {
    const { next } = relayed;
    noteCall(performance.now() - relayed.turnSince);
    relayed.next = undefined;
    if (how === 'idle' && next !== undefined) {
      relayed.turnSince = performance.now();
      next.begin(true);
      return;
    }
    held.delete(relayed);
    next?.begin(false);
    if (how === 'idle' && inLine === 0) freed += 1;
    await pool.giveBack(relayed.lease, how);
  }

  async function fromPool(request: LeaseRequest): Promise<Lease> {
    inLine += 1;
    try {
      return await pool.lease(request);
    } finally {
      inLine -= 1;
      freed = Math.max(0, freed - 1);
    }
  }

  function firstTurn(relayed: Relayed): LeaseTurn {
    let over = false;
    return {
      lease: relayed.lease,
      isMine: () => (over ? Promise.resolve(false) : pool.stillMine(relayed.lease)),
      end: async (how) => {
        if (over) return;
        over = true;
        await finish(relayed, how);
      },
    };
  }

  function nextTurn(relayed: Relayed): LeaseTurn {
    let state = 'waiting' as 'waiting' | 'begun' | 'over';
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const waiting: WaitingTurn = {
      begin: (comes) => {
        if (state !== 'waiting') return;
        state = comes ? 'begun' : 'over';
        tell();
      },
    };
    relayed.next = waiting;
    const withdraw = (): void => {
      if (state !== 'waiting') return;
      state = 'over';
      if (relayed.next === waiting) relayed.next = undefined;
      tell();
    };
    return {
      lease: relayed.lease,
      isMine: async () => {
        const late = setTimeout(withdraw, TURN_WAIT_MS);
        await told;
        clearTimeout(late);
        return state === 'begun' && pool.stillMine(relayed.lease);
      },
      end: async (how) => {
        const was = state;
        withdraw();
        state = 'over';
        if (was === 'begun') await finish(relayed, how);
      },
    };
  }

  return {
    turn: async ({ early = false, ...request }) => {
      lookWhetherFull();
      const passOn = early && full && freed === 0 && expectedCallMs <= SHORT_CALL_MS;
      const soonest = passOn ? soonestFree() : undefined;
      if (soonest !== undefined) return nextTurn(soonest);
      const lease = await fromPool(request);
      const now = performance.now();
      const relayed: Relayed = { lease, lentAt: now, turnSince: now, next: undefined };
      held.add(relayed);
      return firstTurn(relayed);
    },
  };
}
