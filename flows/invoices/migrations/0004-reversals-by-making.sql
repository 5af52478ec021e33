-- Reconciliation asks which of our refunds and disputes a page of Stripe's list should have named, and which have left its window.
create index reversals_made on flow_invoices.reversals (coalesce(made_at, first_seen), id);
