import { toJson } from '../json';
import { renderCustomer } from '../objects/customer';
import { invalidRequest, resourceMissing } from './api-error';
import { customerOrTombstone, productOrTombstone } from './expand';
import { find, listOf, matches, retrieve } from './lookup';
import { list } from './paging';
import type { Route } from './route';

export const catalogueRoutes: Route[] = [
  {
    method: 'get',
    path: '/v1/products',
    resource: 'products',
    kind: 'product',
    handle: (call) => {
      const ids = call.parameters.texts('ids');
      const active = call.parameters.flag('active');
      const filters = ['active', 'created', 'ids', 'shippable', 'type', 'url'];
      return listOf(
        call,
        call.world.store.products,
        'product',
        filters,
        (product) =>
          (ids === undefined || ids.includes(product.id)) && (active === undefined || product.active === active),
      );
    },
  },
  {
    method: 'get',
    path: '/v1/products/:id',
    resource: 'products',
    kind: 'product',
    handle: (call) => {
      call.parameters.only();
      const { id } = find(call, call.world.store.products, 'product', call.id).value;
      return toJson(productOrTombstone(call.world.store, id) ?? {});
    },
  },
  {
    method: 'get',
    path: '/v1/prices',
    resource: 'prices',
    kind: 'price',
    handle: (call) => {
      const active = call.parameters.flag('active');
      const keys = call.parameters.texts('lookup_keys');
      if (keys !== undefined && keys.length > 10) throw invalidRequest('At most 10 lookup keys.', 'lookup_keys');
      return listOf(
        call,
        call.world.store.prices,
        'price',
        ['active', 'created', 'currency', 'lookup_keys', 'product', 'type'],
        (price) =>
          (active === undefined || price.active === active) &&
          (keys === undefined || keys.includes(price.lookup_key ?? '')) &&
          matches(call, 'currency', price.currency) &&
          matches(call, 'product', price.product) &&
          matches(call, 'type', price.type),
      );
    },
  },
  {
    method: 'get',
    path: '/v1/prices/:id',
    resource: 'prices',
    kind: 'price',
    handle: retrieve((call) => call.world.store.prices, 'price'),
  },
  {
    method: 'get',
    path: '/v1/customers',
    resource: 'customers',
    kind: 'customer',
    handle: (call) =>
      listOf(call, call.world.store.customers, 'customer', ['created', 'email', 'test_clock'], (customer) =>
        matches(call, 'email', customer.email),
      ),
  },
  {
    method: 'post',
    path: '/v1/customers',
    resource: 'customers',
    kind: 'customer',
    handle: (call) => {
      call.parameters.only('email', 'name', 'metadata');
      const created = call.world.clock.nowSeconds();
      const owner = { account: call.account, livemode: call.caller.livemode };
      const customer = renderCustomer({
        id: call.world.ids.next('cus', 14),
        email: call.parameters.text('email') ?? null,
        name: call.parameters.text('name') ?? null,
        metadata: call.parameters.metadata(),
        created,
        livemode: owner.livemode,
      });
      call.world.store.customers.add(customer, owner, created);
      call.world.events.record(
        {
          type: 'customer.created',
          object: customer,
          request: { id: call.requestId, idempotency_key: call.idempotencyKey },
        },
        owner,
        created,
      );
      return toJson(customer);
    },
  },
  {
    method: 'get',
    path: '/v1/customers/:id',
    resource: 'customers',
    kind: 'customer',
    handle: (call) => {
      call.parameters.only();
      const { id } = find(call, call.world.store.customers, 'customer', call.id).value;
      return toJson(customerOrTombstone(call.world.store, id) ?? {});
    },
  },
  {
    method: 'delete',
    path: '/v1/customers/:id',
    resource: 'customers',
    kind: 'customer',
    handle: (call) => {
      call.parameters.only();
      const entry = find(call, call.world.store.customers, 'customer', call.id);
      // It can still be read, but no more be changed: a second time it counts as missing.
      if (entry.deleted) throw resourceMissing('customer', call.id);
      const { id } = entry.value;
      entry.deleted = true;
      call.world.events.record(
        {
          type: 'customer.deleted',
          object: entry.value,
          request: { id: call.requestId, idempotency_key: call.idempotencyKey },
        },
        entry,
        call.world.clock.nowSeconds(),
      );
      return { id, object: 'customer', deleted: true };
    },
  },
  {
    method: 'get',
    path: '/v1/payment_links',
    resource: 'payment_links',
    kind: 'payment_link',
    handle: (call) => {
      const active = call.parameters.flag('active');
      return listOf(
        call,
        call.world.store.paymentLinks,
        'payment_link',
        ['active'],
        (link) => active === undefined || link.active === active,
      );
    },
  },
  {
    method: 'get',
    path: '/v1/payment_links/:id',
    resource: 'payment_links',
    kind: 'payment_link',
    handle: retrieve((call) => call.world.store.paymentLinks, 'payment_link'),
  },
  {
    method: 'get',
    path: '/v1/shipping_rates/:id',
    resource: 'shipping_rates',
    kind: 'shipping_rate',
    handle: retrieve((call) => call.world.store.shippingRates, 'shipping_rate'),
  },
  {
    method: 'get',
    path: '/v1/charges/:id/refunds',
    resource: 'charges',
    kind: 'refund',
    handle: (call) => {
      if (call.world.store.charges.get(call.id) === undefined) throw resourceMissing('charge', call.id);
      return listOf(call, call.world.store.refunds, 'refund', [], (refund) => refund.charge === call.id);
    },
  },
  {
    method: 'get',
    path: '/v1/payment_links/:id/line_items',
    resource: 'payment_links',
    kind: 'item',
    handle: (call) => {
      find(call, call.world.store.paymentLinks, 'payment_link', call.id);
      return list([], false, call.path);
    },
  },
];
