/** See docs/ARCHITECTURE.md, "An effect's life". */
export type EffectState = 'planned' | 'sending' | 'unknown' | 'parked' | 'done' | 'cancelled';

/** Who brought the event that an effect comes from. */
export type EffectOrigin = 'webhook' | 'pull' | 'operator' | 'reconciliation';

/** Ids and amounts that people look for. Never names, addresses or e-mails. */
export interface EffectSubject {
  checkoutSessionId?: string;
  paymentIntentId?: string;
  chargeId?: string;
  invoiceId?: string;
  refundId?: string;
  disputeId?: string;
  /** Minor units. */
  amount?: number;
  currency?: string;
  /** ISO 8601, when the money moved. */
  occurredAt?: string;
  /** Planned by this replay: nobody is sent a notice about it. */
  replayPlan?: string;
  /** A person has corrected what it means, after so many sendings. */
  corrected?: { attempts: number };
}

/** What a flow decides that the outside is owed. */
export interface EffectPlan {
  kind: string;
  flow: string;
  /** What it means, for instance `invoice-paid:cs_…`; a second plan with the same key changes nothing. */
  key: string;
  lane: string | null;
  title: string;
  /** The performer's own shape, frozen now: later configuration changes do not reach it. */
  target: unknown;
  /** Sent as it stands at every attempt. */
  body: string;
  subject: EffectSubject;
  origin: EffectOrigin;
  /** Recovery, replay, restore: ask the peer before the first sending. */
  checkFirst: boolean;
  /**
   * The peer is asked, and only a proof that it has happened settles it; nothing is sent unless a person says so. For money
   * from before the bridge went live. Includes `checkFirst`.
   */
  askOnly?: boolean;
  /** Plan it as parked, for a person to release or cancel. */
  parked?: { reasonCode: string; reason: string };
  /**
   * A person has corrected what the effect with this key means: the one that stands is frozen anew, if it still has as many
   * sendings behind it and surely nothing has come of them. There is never a second one. `what`: for people, what it meant
   * until now, such as "invoice 18637".
   */
  replaces?: { attempts: number; what: string };
}

/** An effect in hand. Only the holder of the latest claim number can begin, settle or release it. */
export interface ClaimedEffect {
  id: string;
  kind: string;
  flow: string;
  key: string;
  lane: string | null;
  title: string;
  target: unknown;
  body: string;
  subject: EffectSubject;
  /** As it was when claimed. */
  state: 'planned' | 'unknown';
  checkFirst: boolean;
  /** It must never be sent; the store refuses to begin it. */
  askOnly: boolean;
  attempts: number;
  refusals: number;
  plannedAt: Date;
  firstSentAt: Date | null;
  lastSentAt: Date | null;
  /** Milliseconds since the last sending began, by PostgreSQL's clock; null when never sent. */
  sinceSentMs: number | null;
  /** Milliseconds it has been planned, by PostgreSQL's clock. */
  sincePlannedMs: number;
  unknownSinceMs: number | null;
  /** The FileMaker session that carried the last sending. */
  lastSessionId: string | null;
  /** The last sending was answered: whatever it did is over. */
  lastAnswered: boolean;
  /** Whose claim it is, and its number: both, since a number may come again after a crash of PostgreSQL. */
  worker: string;
  claimNo: string;
}

/** How a sending ended. Thrown before begin: retried. Thrown after begin: unknown. */
export type Outcome =
  | { kind: 'done'; verified: boolean; result: unknown }
  /** The peer said no and surely did nothing. `again`: the same bytes may be sent after `afterMs`. */
  | { kind: 'refused'; code: string; message: string; again: boolean; afterMs?: number; costs?: boolean }
  /** Sent, and not known what it did: ask before anything else. `answered`: it was heard to end. */
  | { kind: 'unknown'; code: string; message: string; answered?: boolean }
  /** It has run, in whole or in part, and asking would not show it: only a person can tell. */
  | { kind: 'parked'; code: string; message: string };

/** What asking the peer told about an effect that may or may not have happened. */
export type CrossCheck =
  | { kind: 'there'; result: unknown }
  | { kind: 'not-there' }
  | { kind: 'wait'; afterMs: number; code: string; message: string }
  | { kind: 'park'; code: string; message: string };

/** An answer of a step before sending that stops the attempt without cost. */
export type HeldBack =
  | { kind: 'wait'; afterMs: number; code: string; message: string }
  | { kind: 'park'; code: string; message: string };

/** A sending that is prepared (the FileMaker session is leased) but has not begun. */
export interface PreparedSending {
  kind: 'ready';
  /** Noted with the attempt, so that a cross-check can ask for the session later. */
  sessionId: string | null;
  /** First byte at once, the same bytes on every attempt. Must not throw; if it does, the outcome is unknown. */
  send(): Promise<Outcome>;
  /** Gives everything back; called exactly once, with null when nothing was sent. */
  release(outcome: Outcome | null): Promise<void>;
}

/**
 * What a sending waits for (a FileMaker session), asked for while the claim is still being made. Whoever has it calls one of
 * the two, once.
 */
export interface Reservation {
  /** As the performer's own `prepare`, with what was reserved. */
  prepare(effect: ClaimedEffect): Promise<PreparedSending | HeldBack>;
  /** Gives it back unused, also when it has not come yet. Never rejects. */
  drop(): Promise<void>;
}

/** One per kind of effect; joins the engine with a peer. */
export interface Performer {
  kind: string;
  /** Scopes of gates that must be open, for instance `filemaker` and `script:NAME`. */
  scopes(effect: { target: unknown; flow: string }): string[];
  /** May the first sending still happen? Asked when it comes long after the plan. */
  recheck(effect: ClaimedEffect): Promise<{ kind: 'fine' } | HeldBack>;
  prepare(effect: ClaimedEffect): Promise<PreparedSending | HeldBack>;
  /** For an effect that will most likely be sent at once; left out where a sending waits for nothing. */
  reserve?(): Reservation;
  crossCheck(effect: ClaimedEffect): Promise<CrossCheck>;
}
