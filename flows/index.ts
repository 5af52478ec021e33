import type { MigrationSource } from '@bridge/database';
import type { Flow } from '@bridge/flow';
import { invoices } from './invoices/flow';
import type { InvoicesPeers } from './invoices/ports';

export {
  FileMakerNotAskedError,
  type InvoiceFact,
  type InvoiceScripts,
  type InvoicesPeers,
  type InvoicesRecovery,
  type InvoicesStripe,
  type LogQuestion,
  type LogTold,
  type SessionSnapshot,
} from './invoices/ports';
export { UnreadableSessionError } from './invoices/session-facts';

/** What all flows together need from the outside. */
export type FlowPeers = InvoicesPeers;

/** The flows, each listed once. Configuration, schedules, wanted event types and lists for people derive from here. */
export const flows: readonly Flow<FlowPeers>[] = [invoices];

/** Migrations of every flow, on or off, so that switching one on needs no step of its own. */
export const flowMigrations: readonly MigrationSource[] = flows.map((flow) => flow.migrations);

/** Names a configuration may switch on. */
export const flowNames: readonly string[] = flows.map((flow) => flow.name);

/** The event types that the flows that are on act on. */
export function wantedEventTypes(names: readonly string[]): ReadonlySet<string> {
  return new Set(flows.filter((flow) => names.includes(flow.name)).flatMap((flow) => flow.wants));
}
