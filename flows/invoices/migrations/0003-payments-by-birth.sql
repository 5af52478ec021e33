-- Reconciliation asks which of our payments a page of Stripe's list should have named, and which wait for their money.
create index payments_birth on flow_invoices.payments (session_created_at, checkout_session_id);
