import { stockPrice, stockProduct } from './catalogue';
import { renderCustomer } from './objects/customer';
import { type LineAmounts, lineAmounts, renderLineItem } from './objects/line-item';
import { renderPaymentLink } from './objects/payment-link';
import { renderOpenSession, type SessionDraft } from './objects/session';
import { renderShippingRate } from './objects/shipping-rate';
import type { OrderLine, SaleOrder } from './sale-order';
import { SimulatorError } from './simulator-error';
import type { Owner, Sale } from './store';
import type { LineItem } from './wire';
import type { World } from './world';

/** Opens a Checkout Session with its lines, products, prices, customer and link. Makes no event, as at Stripe. */
export function openSession(world: World, order: SaleOrder): Sale {
  const owner: Owner = { account: order.account, livemode: order.livemode };
  const created = order.created ?? world.clock.nowSeconds();
  const lines = order.mode === 'setup' ? [] : order.lines.map((line) => makeLine(world, order, line, owner));
  const metadata = { ...(order.invoiceId === null ? {} : { invoice_id: order.invoiceId }), ...order.metadata };
  const draft: SessionDraft = {
    id: world.ids.session(order.livemode),
    mode: order.mode,
    created,
    livemode: order.livemode,
    currency: order.currency,
    lines: lines.map(({ amounts }) => amounts),
    metadata,
    clientReferenceId: order.clientReferenceId,
    customer: customerOf(world, order, owner, created),
    email: order.email,
    paymentLink: paymentLinkOf(world, order, metadata, owner, created),
    shipping: shippingOf(world, order, owner, created),
    paymentMethodType: order.delayed ? 'us_bank_account' : 'card',
  };
  const sale: Sale = {
    sessionId: draft.id,
    paymentIntentId: null,
    chargeId: null,
    invoiceId: order.invoiceId ?? metadata.invoice_id ?? null,
    paidAtMs: null,
    owner,
    order,
    draft,
  };
  world.store.sessions.add(renderOpenSession(draft), owner, created);
  world.store.lineItems.set(
    draft.id,
    lines.map(({ item }) => item),
  );
  world.store.sales.set(draft.id, sale);
  return sale;
}

function makeLine(
  world: World,
  order: SaleOrder,
  line: OrderLine,
  owner: Owner,
): { amounts: LineAmounts; item: LineItem } {
  const product = stockProduct(
    world,
    {
      name: line.name,
      metadata: line.metadata,
      description: line.description,
      active: !line.inactiveProduct,
      deleted: line.deletedProduct,
    },
    owner,
  );
  const decimal = line.unitAmountDecimal ?? String(line.unitAmount);
  const hasUnitAmount = !line.customUnitAmount && line.unitAmountDecimal === undefined;
  const price = stockPrice(
    world,
    product,
    {
      currency: order.currency,
      unitAmount: hasUnitAmount ? line.unitAmount : null,
      unitAmountDecimal: line.customUnitAmount ? null : decimal,
      taxBehavior: line.taxBehavior,
      customUnitAmount: line.customUnitAmount,
      recurring: order.mode === 'subscription',
      metadata: line.priceMetadata,
    },
    owner,
  );
  const subtotal = Math.round(Number(decimal) * line.quantity);
  const amounts = lineAmounts(subtotal, Math.min(line.discount, subtotal), line.tax, line.taxBehavior === 'inclusive');
  const item = renderLineItem({
    id: world.ids.numbered('li', 1),
    amounts,
    currency: order.currency,
    description: line.name,
    metadata: line.lineMetadata,
    price,
    quantity: line.quantity,
  });
  return { amounts, item };
}

function customerOf(world: World, order: SaleOrder, owner: Owner, created: number): string | null {
  if (order.customer === false) return null;
  const id = order.customer === true ? world.ids.next('cus', 14) : order.customer;
  if (world.store.customers.entry(id)?.deleted === true) throw new SimulatorError(`The customer ${id} is deleted.`);
  if (world.store.customers.get(id) === undefined) {
    const name = order.shipping?.name ?? null;
    const customer = renderCustomer({ id, email: order.email, name, metadata: {}, created, livemode: owner.livemode });
    world.store.customers.add(customer, owner, created);
  }
  return id;
}

function paymentLinkOf(
  world: World,
  order: SaleOrder,
  metadata: Record<string, string>,
  owner: Owner,
  created: number,
): string | null {
  if (order.paymentLink === false) return null;
  const id = order.paymentLink === true ? world.ids.numbered('plink', 1) : order.paymentLink;
  if (world.store.paymentLinks.get(id) === undefined) {
    const link = renderPaymentLink({ id, currency: order.currency, metadata, livemode: owner.livemode });
    world.store.paymentLinks.add(link, owner, created);
  }
  return id;
}

function shippingOf(world: World, order: SaleOrder, owner: Owner, created: number): SessionDraft['shipping'] {
  const { shipping, currency } = order;
  if (shipping === null || order.mode === 'setup') return null;
  if (shipping.amount === null) return { name: shipping.name, address: shipping.address, cost: null, rateId: null };
  const rate = renderShippingRate({
    id: world.ids.numbered('shr', 1),
    amount: shipping.amount,
    currency,
    displayName: shipping.displayName,
    taxBehavior: shipping.taxBehavior,
    created,
    livemode: owner.livemode,
  });
  world.store.shippingRates.add(rate, owner, created);
  return {
    name: shipping.name,
    address: shipping.address,
    cost: lineAmounts(shipping.amount, 0, shipping.tax, shipping.taxBehavior === 'inclusive'),
    rateId: rate.id,
  };
}
