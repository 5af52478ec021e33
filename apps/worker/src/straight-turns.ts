import type { TurnEnding } from '@bridge/effects';
import type { PlannedEffect } from '@bridge/flow';
import { settledWithin } from './repeat';

export interface StraightTurnsOptions {
  /** Effects in hand at once, those of the queue's jobs included. */
  placesMax: number;
  /** The queue's jobs: how many are in hand, and whether any may begin. */
  jobs: { inHand(): number; paused(): boolean };
  /** One turn of an effect that was only just planned; tells when its first byte is on its way. */
  perform(effectId: string, onSending: () => void): Promise<TurnEnding>;
  /** Adds its job. Must not reject. */
  enqueue(effect: PlannedEffect): Promise<void>;
  /** Adds another job: what became of the first one is not known. Undefined: the turn threw. */
  enqueueAgain(effect: PlannedEffect, ending: TurnEnding | undefined): Promise<void>;
  onError: (error: Error) => void;
}

/** Effects that go straight from their plan to FileMaker. */
export interface StraightTurns {
  /** Begins with as many as there are places for, and returns the others: they need jobs. */
  take(planned: readonly PlannedEffect[]): PlannedEffect[];
  /** For the job of an effect: the turn that goes on here already, whose ending is then the job's; undefined: there is none. */
  join(effectId: string): Promise<TurnEnding> | undefined;
  /** Takes no more and waits for those in hand, at most `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}

interface StraightTurn {
  ending: Promise<TurnEnding>;
  joined: boolean;
}

/**
 * Performs what an event has planned in the process that planned it, while there is room. Its job is added once the first
 * byte is on its way and joins the turn, so that the queue and Bull Board show what they always did and a turn that did not
 * end comes again by its job. See docs/decisions/0020-straight-turns.md.
 */
export function createStraightTurns(options: StraightTurnsOptions): StraightTurns {
  const { jobs, placesMax } = options;
  const inHand = new Map<string, StraightTurn>();
  const ended = new Set<Promise<void>>();
  let stopping = false;

  function begin(effect: PlannedEffect): void {
    let job: Promise<void> | undefined;
    const onSending = (): void => {
      // After the request, which is written in this turn of the loop.
      job = new Promise<void>((resolve) => setImmediate(resolve)).then(() => options.enqueue(effect));
    };
    const turn: StraightTurn = { ending: options.perform(effect.id, onSending), joined: false };
    inHand.set(effect.id, turn);
    const end = async (): Promise<void> => {
      const ending = await turn.ending.catch((error: unknown) => {
        if (!turn.joined) options.onError(error instanceof Error ? error : new Error(String(error)));
        return undefined;
      });
      inHand.delete(effect.id);
      await job;
      if (!turn.joined && ending?.kind !== 'done') await options.enqueueAgain(effect, ending).catch(options.onError);
    };
    const over = end().finally(() => ended.delete(over));
    ended.add(over);
  }

  function placesFree(): number {
    if (stopping || jobs.paused()) return 0;
    const joined = [...inHand.values()].filter((turn) => turn.joined).length;
    return Math.max(0, placesMax - jobs.inHand() - inHand.size + joined);
  }

  return {
    take: (planned) => {
      const places = placesFree();
      for (const effect of planned.slice(0, places)) begin(effect);
      return planned.slice(places);
    },
    join: (effectId) => {
      const turn = inHand.get(effectId);
      if (turn === undefined) return undefined;
      turn.joined = true;
      return turn.ending;
    },
    stop: async (deadlineMs) => {
      stopping = true;
      await settledWithin(Promise.all(ended), deadlineMs);
    },
  };
}
