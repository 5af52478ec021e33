-- The right to a FileMaker session is a row here. Every row counts against the cap, whatever its state.
create schema session_pool;

create sequence session_pool.session_ids as bigint;
-- Fencing numbers: a later lease of a session always carries a larger one.
create sequence session_pool.fences as bigint;

-- One row, locked by whoever wants to open a session: it makes counting and inserting one step for all processes.
create table session_pool.pool (
  only_row boolean primary key default true check (only_row),
  -- Raised when FileMaker restarted; a session of an older epoch is looked at before it is lent again.
  epoch bigint not null default 1,
  -- No login before this moment: the shared login rate.
  next_login_at timestamptz,
  -- No login before this moment: the last one failed for this reason.
  held_until timestamptz,
  held_because text check (held_because in ('capacity', 'credentials', 'unavailable', 'unheard', 'other')),
  -- Failed logins in a row.
  failures integer not null default 0 check (failures >= 0),
  -- The server had no room at this moment; the cap was then this much smaller, and creeps back with time.
  shrunk_by integer not null default 0 check (shrunk_by >= 0),
  shrunk_at timestamptz,
  -- The moment wrong credentials were last reported, so that logins under way together halt the pool once.
  credentials_refused_at timestamptz,
  check ((held_until is null) = (held_because is null)),
  check (shrunk_by = 0 or shrunk_at is not null)
);
insert into session_pool.pool default values;

create table session_pool.sessions (
  id bigint primary key,
  state text not null check (state in ('opening', 'open', 'closing')),
  epoch bigint not null,
  opened_by text not null,
  opened_at timestamptz not null default clock_timestamp(),
  -- The login ended without an answer that we heard: FileMaker may hold a session whose token nobody knows.
  unheard_at timestamptz,
  -- AES-256-GCM, bound to the id.
  sealed_token bytea,
  -- The last call that FileMaker answered, as far as PostgreSQL was told (never later than the truth).
  answered_at timestamptz,
  -- The last moment from which FileMaker may count the session's life (never earlier than the truth once a
  -- session is looked at, closing or unheard).
  touched_at timestamptz not null default clock_timestamp(),
  -- The last lease that was not reported back. Redis decides who holds; this tells a Redis that forgot or went back
  -- in time from one that is right.
  lease_id text,
  leased_by text,
  leased_at timestamptz,
  fence bigint,
  closing_by text,
  closing_at timestamptz,
  check ((state = 'opening') = (sealed_token is null)),
  check ((state = 'opening') = (answered_at is null)),
  check (unheard_at is null or state = 'opening'),
  check ((lease_id is null) = (leased_by is null)),
  check (lease_id is null or (leased_at is not null and fence is not null)),
  check (lease_id is null or state = 'open'),
  check ((state = 'closing') = (closing_at is not null)),
  check ((closing_at is null) = (closing_by is null))
);
