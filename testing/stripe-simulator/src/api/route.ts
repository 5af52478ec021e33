import type { Deliveries } from '../deliveries';
import type { Endpoints } from '../endpoints';
import type { JsonObject } from '../json';
import type { World } from '../world';
import type { Caller } from './authentication';
import type { Parameters } from './parameters';

/** What a handler may look at. */
export interface Call {
  world: World;
  endpoints: Endpoints;
  deliveries: Deliveries;
  caller: Caller;
  /** The connected account named by Stripe-Account, else null. */
  account: string | null;
  parameters: Parameters;
  /** The `:id` of the path. */
  id: string;
  path: string;
  requestId: string;
  idempotencyKey: string | null;
}

export interface Route {
  method: 'get' | 'post' | 'delete';
  path: string;
  /** The resource a restricted key must be allowed to touch. */
  resource: string;
  /** The kind of object in the answer, for expand. */
  kind: string;
  handle: (call: Call) => JsonObject;
}
