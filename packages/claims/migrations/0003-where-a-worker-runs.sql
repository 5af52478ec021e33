-- Where a process runs: machine boot and process namespace. A process there can see for itself that another has ended,
-- and need not wait for five seconds of silence. Null: not known.
alter table claims.workers add column place text;

-- Known to be over, not only silent: it said so, or a process of the same place saw that it is gone.
create function claims.has_ended(worker text) returns boolean
language sql volatile as $$
  select not exists (select 1 from claims.workers where id = worker and stopped_at is null)
$$;
