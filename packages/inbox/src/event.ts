/** How an inbox row stands. See docs/ARCHITECTURE.md, "One event's way". */
export type EventState = 'received' | 'processing' | 'processed' | 'ignored' | 'parked';

/** Who brought the event. */
export type EventSource = 'webhook' | 'pull' | 'operator' | 'reconciliation';
