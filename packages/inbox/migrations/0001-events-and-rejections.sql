create schema inbox;

-- What arrived, each event once. Nothing is acknowledged before its row is committed.
create table inbox.events (
  id               bigint generated always as identity primary key,
  source           text not null check (source in ('webhook', 'pull', 'operator', 'reconciliation')),
  peer             text not null check (peer in ('stripe', 'amberflo', 'bridge')),
  event_id         text not null unique,
  event_type       text not null,
  account          text,
  livemode         boolean not null,
  api_version      text,
  object_id        text,
  event_created_at timestamptz,
  received_at      timestamptz not null default clock_timestamp(),
  deliveries       integer not null default 1,
  last_delivery_at timestamptz not null default clock_timestamp(),
  body             bytea,                                   -- null once erased
  state            text not null check (state in ('received', 'processing', 'processed', 'ignored', 'parked')),
  starts           integer not null default 0,              -- counted before the work, so that a killed worker counts
  due_at           timestamptz not null default clock_timestamp(),
  run              integer not null default 0,              -- raised at every re-plan: the queue ignores an id it still holds
  queued_at        timestamptz,                             -- when a job was last seen or made for it; null: never
  claimed_by       text,
  claim_no         bigint,
  reason_code      text,                                    -- why it waits, was ignored or parked
  reason           text,
  finished_at      timestamptz,
  check ((state in ('processed', 'ignored', 'parked')) = (finished_at is not null)),
  check ((state = 'processing') = (claimed_by is not null)),
  check (state not in ('ignored', 'parked') or reason_code is not null)
);
create index events_unfinished on inbox.events (queued_at nulls first, id) where state in ('received', 'processing');
create index events_parked on inbox.events (finished_at) where state = 'parked';
create index events_received_at on inbox.events (received_at);
create index events_object on inbox.events (object_id);

-- Requests that were refused at the door; the last 1,000, without their bodies.
create table inbox.rejections (
  id          bigint generated always as identity primary key,
  received_at timestamptz not null default clock_timestamp(),
  reason      text not null,
  bytes       integer not null,
  remote      text
);
