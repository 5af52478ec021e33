-- When the money came, as an event told it. paid_at is when the charge was made, days before for a bank debit.
alter table flow_invoices.payments add column succeeded_at timestamptz;
-- When Stripe made the refund or opened the dispute; null: it was not told.
alter table flow_invoices.reversals add column made_at timestamptz;

-- Proof and the books ask by charge, by the moment the money came, and for what was written lately.
create index payments_charge on flow_invoices.payments (charge_id);
create index payments_succeeded on flow_invoices.payments (coalesce(succeeded_at, paid_at, first_seen), checkout_session_id)
  where status in ('paid', 'parked');
create index payments_written on flow_invoices.payments (updated_at, checkout_session_id);
create index reversals_written on flow_invoices.reversals (updated_at, id);
