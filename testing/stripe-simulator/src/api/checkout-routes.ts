import { toJson } from '../json';
import { expireSale } from '../settlement';
import type { Session } from '../wire';
import { invalidRequest } from './api-error';
import { find, listOf, matches, retrieve } from './lookup';
import { page } from './paging';
import type { Route } from './route';

const KIND = 'checkout.session';
const RESOURCE = 'checkout_sessions';
const STATUSES: readonly NonNullable<Session['status']>[] = ['complete', 'expired', 'open'];
const FILTERS = [
  'created',
  'customer',
  'customer_account',
  'customer_details',
  'payment_intent',
  'payment_link',
  'status',
  'subscription',
];

export const checkoutRoutes: Route[] = [
  {
    method: 'get',
    path: '/v1/checkout/sessions',
    resource: RESOURCE,
    kind: KIND,
    handle: (call) => {
      const status = call.parameters.oneOf('status', STATUSES);
      const email = call.parameters.nested('customer_details')?.text('email');
      return listOf(call, call.world.store.sessions, KIND, FILTERS, (session) => {
        const { customer, payment_intent, payment_link, subscription, customer_account } = session;
        return (
          (status === undefined || session.status === status) &&
          (email === undefined || session.customer_details?.email === email) &&
          matches(call, 'customer', customer) &&
          matches(call, 'customer_account', customer_account) &&
          matches(call, 'payment_intent', payment_intent) &&
          matches(call, 'payment_link', payment_link) &&
          matches(call, 'subscription', subscription)
        );
      });
    },
  },
  {
    method: 'get',
    path: '/v1/checkout/sessions/:id',
    resource: RESOURCE,
    kind: KIND,
    handle: retrieve((call) => call.world.store.sessions, KIND),
  },
  {
    method: 'get',
    path: '/v1/checkout/sessions/:id/line_items',
    resource: RESOURCE,
    kind: 'item',
    handle: (call) => {
      call.parameters.only('limit', 'starting_after', 'ending_before');
      const session = find(call, call.world.store.sessions, KIND, call.id).value;
      return page(call.world.store.lineItems.get(session.id) ?? [], call.parameters, call.path, 'line_item');
    },
  },
  {
    method: 'post',
    path: '/v1/checkout/sessions/:id/expire',
    resource: RESOURCE,
    kind: KIND,
    handle: (call) => {
      const session = find(call, call.world.store.sessions, KIND, call.id).value;
      if (session.status !== 'open') {
        throw invalidRequest(`Only Checkout Sessions with a status in ["open"] can be expired.`);
      }
      expireSale(call.world, session.id);
      return toJson(session);
    },
  },
];
