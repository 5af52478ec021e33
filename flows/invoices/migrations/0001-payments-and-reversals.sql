create schema flow_invoices;

-- One row per invoice that a payment named. It is locked while a payment of that invoice is decided, so that two payments
-- cannot both be the first.
create table flow_invoices.invoices (
  invoice_id text primary key,
  first_seen timestamptz not null default clock_timestamp()
);

-- What we know of each Checkout Session, as of the last time it was read at Stripe.
create table flow_invoices.payments (
  checkout_session_id text primary key,
  payment_intent_id   text,
  charge_id           text,
  invoice_id          text,
  amount_total        bigint not null,          -- minor units
  currency            text not null,
  livemode            boolean not null,
  status              text not null check (status in ('pending', 'paid', 'failed', 'expired', 'parked')),
  parked_code         text,
  parked_event        text,                     -- the event that told a person; it parks again when it is worked on again
  effect_key          text,
  paid_at             timestamptz,
  session_created_at  timestamptz not null,
  first_seen          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default clock_timestamp(),
  check ((status = 'parked') = (parked_code is not null)),
  check (effect_key is null or status = 'paid')
);
create index payments_invoice on flow_invoices.payments (invoice_id);
create index payments_payment_intent on flow_invoices.payments (payment_intent_id);
create index payments_pending on flow_invoices.payments (session_created_at) where status = 'pending';
-- For the money at risk.
create index payments_without_effect on flow_invoices.payments (first_seen)
  where effect_key is null and status in ('paid', 'parked');

-- Refunds and disputes: facts of their own, never an edit of the payment.
create table flow_invoices.reversals (
  id                  text primary key,         -- re_..., dp_...
  kind                text not null check (kind in ('refund', 'dispute')),
  checkout_session_id text not null,
  invoice_id          text,
  amount              bigint not null,
  currency            text not null,
  status              text not null,            -- Stripe's word
  effect_key          text,
  first_seen          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default clock_timestamp()
);
create index reversals_session on flow_invoices.reversals (checkout_session_id);
