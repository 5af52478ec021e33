create schema operations;

-- Who did what, and what came of it. The row is committed before the act, so that no act goes unrecorded.
create table operations.audit (
  id       bigint generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  who      text not null,
  action   text not null,                 -- 'effect.release', 'event.reprocess', 'gate.resume', 'operator.add', 'login', ...
  object   text not null,                 -- 'effect:12', 'event:34', 'operator:ada'
  why      text not null,
  outcome  text check (outcome in ('done', 'refused', 'failed')), -- null: begun, and how it ended was not written down
  detail   text,
  ended_at timestamptz,
  check ((outcome is null) = (ended_at is null))
);
create index audit_object on operations.audit (object, id);

create table operations.operators (
  name          text primary key check (name ~ '^[^[:space:]:]{1,64}$'),
  password_hash text not null,
  created_at    timestamptz not null default clock_timestamp(),
  created_by    text not null,
  seed          bytea                     -- digest of the CONSOLE_ADMIN value that made the row; null: made by a person
);

-- A login at the console. The token itself is only in the browser.
create table operations.console_sessions (
  token_hash   bytea primary key,
  operator     text not null references operations.operators (name) on delete cascade,
  created_at   timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  expires_at   timestamptz not null
);
create index console_sessions_operator on operations.console_sessions (operator);

-- Tries to log in, per name and per address, in a window that begins with the first. Digests: people type passwords
-- into the wrong field.
create table operations.login_tries (
  subject         bytea primary key,
  window_began_at timestamptz not null default clock_timestamp(),
  tries           integer not null
);
create index login_tries_window on operations.login_tries (window_began_at);
