-- When each scheduled pass last came to its end. Written by the process that ran it; shown as a metric.
create table operations.schedule_runs (
  schedule     text primary key,          -- the schedule's id: 'reconcile-invoices'
  succeeded_at timestamptz not null
);
