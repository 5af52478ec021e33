/** What one round of the keeper did. */
export interface KeeperCounts {
  /** Ends of logins that PostgreSQL had missed and has now. */
  settledLate: number;
  /** Logins of dead workers, counted until they have outlived themselves. */
  unheard: number;
  /** Leases taken back: deadline passed. */
  expired: number;
  /** Leases taken back: the worker is dead. */
  ownerDead: number;
  /** Leases of this instance that nobody here holds: their answer was lost. */
  orphaned: number;
  /** Sessions of PostgreSQL that Redis did not know. */
  restored: number;
  /** Quarantined sessions asked about. */
  looked: number;
  /** Lent again. */
  released: number;
  /** Still working on a call, or within the hold-off. */
  waiting: number;
  /** FileMaker did not answer the look. */
  unanswered: number;
  /** Logged out because unused. */
  closed: number;
  /** No longer counted: FileMaker does not know them, or they outlived themselves. */
  forgotten: number;
}

export const noCounts = (): KeeperCounts => ({
  settledLate: 0,
  unheard: 0,
  expired: 0,
  ownerDead: 0,
  orphaned: 0,
  restored: 0,
  looked: 0,
  released: 0,
  waiting: 0,
  unanswered: 0,
  closed: 0,
  forgotten: 0,
});
