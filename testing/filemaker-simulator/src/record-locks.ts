import type { Table } from './table';

export interface HeldLock {
  readonly table: string;
  readonly recordId: string;
  readonly owner: string;
}

/** One write lock per record, held by a named owner: a session, or a person whom a test put there. */
export class RecordLocks {
  readonly #locks = new Map<Table, Map<string, string>>();

  ownerOf(table: Table, recordId: string): string | undefined {
    return this.#locks.get(table)?.get(recordId);
  }

  /** True when the owner holds the lock afterwards; false when somebody else does. */
  take(table: Table, recordId: string, owner: string): boolean {
    const locks = this.#locks.get(table) ?? new Map<string, string>();
    this.#locks.set(table, locks);
    const holder = locks.get(recordId);
    if (holder !== undefined && holder !== owner) return false;
    locks.set(recordId, owner);
    return true;
  }

  release(table: Table, recordId: string, owner?: string): boolean {
    const locks = this.#locks.get(table);
    if (owner !== undefined && locks?.get(recordId) !== owner) return false;
    return locks?.delete(recordId) ?? false;
  }

  releaseAllOf(owner: string): void {
    for (const locks of this.#locks.values()) {
      for (const [recordId, holder] of locks) if (holder === owner) locks.delete(recordId);
    }
  }

  clear(): void {
    this.#locks.clear();
  }

  list(): HeldLock[] {
    return [...this.#locks].flatMap(([table, locks]) =>
      [...locks].map(([recordId, owner]) => ({ table: table.name, recordId, owner })),
    );
  }
}
