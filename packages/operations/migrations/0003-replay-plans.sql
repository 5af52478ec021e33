-- A person's replay: first what it would do is written down and shown, then that and nothing else is sent.
create table operations.replay_plans (
  id          bigint generated always as identity primary key,
  state       text not null check (state in ('wanted', 'planning', 'ready', 'sending', 'finished', 'failed', 'cancelled')),
  asked_by    text not null,
  why         text not null,
  args        jsonb not null,                   -- words, invoice, override, since, until
  cursor      jsonb,                            -- where the collecting goes on; null: at the beginning
  collected   boolean not null default false,   -- every payment that the words name has its row below
  run         integer not null default 0,       -- raised for every new job: the queue ignores an id it still holds
  touched_at  timestamptz,                      -- when a worker last had it in hand; null: none has yet
  asked_at    timestamptz not null default clock_timestamp(),
  ready_at    timestamptz,
  sent_by     text,
  send_why    text,
  sent_at     timestamptz,
  finished_at timestamptz,
  reason_code text,                             -- why it waits or failed
  reason      text,
  check ((state in ('finished', 'failed', 'cancelled')) = (finished_at is not null)),
  check (state not in ('ready', 'sending', 'finished') or ready_at is not null),
  check (state not in ('sending', 'finished') or sent_at is not null),
  check (state <> 'failed' or reason_code is not null)
);
create index replay_plans_unfinished on operations.replay_plans (id) where state in ('wanted', 'planning', 'sending');

-- One payment of a plan. Ids and amounts; customer data stand in `bodies` alone, which are erased when they are not needed.
create table operations.replay_items (
  id               bigint generated always as identity primary key,
  plan_id          bigint not null references operations.replay_plans (id),
  word             text not null,               -- what the person named
  object_id        text not null,
  event_type       text not null,               -- the event that the missed webhook would have been
  object           jsonb not null,
  livemode         boolean not null,
  event_created_at timestamptz,
  looked_at        timestamptz,                 -- null: its verdict is still to come
  verdict          text,
  acts             text check (acts in ('send', 'release')),  -- null: nothing is sent
  reason_code      text,
  reason           text,
  invoice_id       text,
  amount           bigint,                      -- minor units
  currency         text,
  occurred_at      timestamptz,
  effect_key       text,
  effect_id        bigint,                      -- the effect that stood there when it was looked at
  rests_on         jsonb,                       -- how that effect stood: its state, attempts, reason
  shown            jsonb not null default '[]', -- key and digest of each effect that was shown
  bodies           jsonb,                       -- the bytes that were shown, by key; null once erased
  difference       text[] not null default '{}',-- where they differ from the bytes of before: paths, no values
  sent_at          timestamptz,
  outcome          text,
  outcome_code     text,
  outcome_reason   text,
  settled_at       timestamptz,
  unique (plan_id, object_id, event_type),
  check ((looked_at is null) = (verdict is null)),
  check ((settled_at is null) = (outcome is null)),
  check (sent_at is null or acts is not null)
);
create index replay_items_to_look on operations.replay_items (plan_id, id) where looked_at is null;
create index replay_items_to_send on operations.replay_items (plan_id, id) where acts is not null and sent_at is null;
create index replay_items_under_way on operations.replay_items (plan_id, id) where sent_at is not null and settled_at is null;
create index replay_items_with_bodies on operations.replay_items (looked_at) where bodies is not null;
create index replay_items_object on operations.replay_items (object_id);
