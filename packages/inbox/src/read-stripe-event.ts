import type { Delivery } from './deliveries';
import type { EventSource } from './event';

/** Why a body is no event for us. `EVENT_THIN`: one of the kind that holds ids only. */
export type EventFault = 'BODY_NOT_JSON' | 'EVENT_THIN' | 'NOT_AN_EVENT';

/** What this bridge works on; a genuine event beside it is stored as ignored. */
export interface EventExpectations {
  /** Undefined: both are taken. */
  livemode: boolean | undefined;
  /** Whether a flow that is on wants this type. */
  wants(eventType: string): boolean;
}

// PostgreSQL refuses a NUL in a text, and an id goes into job ids and addresses: only visible ASCII is an id.
const identifier = /^[\x21-\x7e]{1,255}$/;

/** Why a genuine event is stored and not worked on. */
export type IgnoredBecause = 'OTHER_LIVEMODE' | 'UNWANTED_TYPE';

/** A delivery of Stripe, and whether it is worked on. */
export type StripeDelivery = Delivery & { ignoredBecause: IgnoredBecause | null };

/**
 * Reads the columns of the inbox row out of a genuine body: one that was signed, or that Stripe's API has given. What it
 * cannot read is a fault, never an exception.
 */
export function readStripeEvent(
  body: Buffer,
  source: EventSource,
  expected: EventExpectations,
): StripeDelivery | { fault: EventFault } {
  const event = parseJson(body);
  if (event === undefined) return { fault: 'BODY_NOT_JSON' };
  if (!isRecord(event)) return { fault: 'NOT_AN_EVENT' };
  if (event.object === 'v2.core.event') return { fault: 'EVENT_THIN' };
  const { id, type } = event;
  const account = event.account ?? null;
  if (event.object !== 'event' || !isIdentifier(id) || !isIdentifier(type)) return { fault: 'NOT_AN_EVENT' };
  // Taking an account we cannot read for none would book another company's payment as ours.
  if (account !== null && !isIdentifier(account)) return { fault: 'NOT_AN_EVENT' };
  const livemode = event.livemode === true;
  const object = isRecord(event.data) && isRecord(event.data.object) ? event.data.object : {};
  return {
    source,
    peer: 'stripe',
    eventId: id,
    eventType: type,
    account,
    livemode,
    apiVersion: isIdentifier(event.api_version) ? event.api_version : null,
    objectId: isIdentifier(object.id) ? object.id : null,
    eventCreatedAt: readSeconds(event.created),
    body,
    ignoredBecause:
      expected.livemode !== undefined && expected.livemode !== livemode
        ? 'OTHER_LIVEMODE'
        : expected.wants(type)
          ? null
          : 'UNWANTED_TYPE',
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && identifier.test(value);
}

/** Unix seconds; what PostgreSQL's timestamps cannot hold is left out. */
function readSeconds(value: unknown): Date | null {
  return typeof value === 'number' && value >= 0 && value < 253_402_300_800 ? new Date(value * 1_000) : null;
}
