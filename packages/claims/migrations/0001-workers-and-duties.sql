create schema claims;

-- One number for every claim ever made. A larger number is a later claim, whatever the clocks say.
create sequence claims.claim_no;

create table claims.workers (
  id           text primary key,
  app          text not null,
  host         text not null,
  pid          integer not null,
  started_at   timestamptz not null default clock_timestamp(),
  heartbeat_at timestamptz not null default clock_timestamp(),
  stopped_at   timestamptz
);

-- A worker is alive while it beats: every second, dead after five. Only this server's clock is asked.
create function claims.is_alive(worker text) returns boolean
language sql stable as $$
  select exists (
    select 1 from claims.workers
    where id = worker and stopped_at is null and heartbeat_at > clock_timestamp() - interval '5 seconds'
  )
$$;

-- Work that one process at a time does for all, such as the sweep.
create table claims.duties (
  name    text primary key,
  held_by text not null references claims.workers (id),
  since   timestamptz not null default clock_timestamp()
);
