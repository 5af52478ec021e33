import type { EndpointFix, EndpointFixed } from './endpoint-fix';
import type { DoctorOptions } from './looks/examination';
import type { DoctorReport } from './report';

export type { EndpointFix, EndpointFixed } from './endpoint-fix';
export type { DoctorOptions } from './looks/examination';
export type { DoctorFault, DoctorReport, DoctorSection } from './report';

/**
 * Looks at everything that the bridge needs: configuration, PostgreSQL, Redis, clocks, Stripe's key and endpoint,
 * FileMaker, processes and schedules. Every question is bounded in time; a section that fails hides no other, and a
 * faulty setting only what cannot be looked at without it. Never throws on a faulty configuration. Changes nothing but
 * the two rows that the FileMaker check leaves.
 */
export async function examineBridge(options: DoctorOptions): Promise<DoctorReport> {
  // Loaded when it is wanted: the clients of the peers would slow down every other command.
  const { examine } = await import('./run-doctor.js');
  return examine(options);
}

/** Sets the webhook endpoint at Stripe as `report.fix` says, audited. */
export async function fixWebhookEndpoint(options: DoctorOptions, fix: EndpointFix, by: string): Promise<EndpointFixed> {
  const { fixEndpoint } = await import('./run-doctor.js');
  return fixEndpoint(options, fix, by);
}
