-- Stable meant: as seen when the calling statement began. A statement that waited for a lock longer than five seconds
-- took every holder for dead. Volatile looks anew each time.
create or replace function claims.is_alive(worker text) returns boolean
language sql volatile as $$
  select exists (
    select 1 from claims.workers
    where id = worker and stopped_at is null and heartbeat_at > clock_timestamp() - interval '5 seconds'
  )
$$;
