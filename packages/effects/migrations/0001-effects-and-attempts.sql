create schema effects;

-- One change we owe the outside, keyed by what it means. The constraints speak the states of docs/ARCHITECTURE.md.
create table effects.effects (
  id            bigint generated always as identity primary key,
  kind          text not null,                 -- who performs it: 'filemaker-script', ...
  flow          text not null,
  key           text not null unique,          -- 'invoice-paid:cs_...': one fact, one effect
  lane          text,                          -- 'invoice:18637': one at a time, in order; null: alone
  title         text not null,                 -- a sentence for people, without customer data
  target        jsonb not null,                -- where and how, frozen when planned; the performer's own shape
  body          bytea,                         -- the bytes sent at every attempt; null once erased
  subject       jsonb not null,                -- ids and amounts that people search for
  origin        text not null check (origin in ('webhook', 'pull', 'operator', 'reconciliation')),
  state         text not null check (state in ('planned', 'sending', 'unknown', 'parked', 'done', 'cancelled')),
  check_first   boolean not null default false, -- planned by recovery: only a proved "not there" runs it
  attempts      integer not null default 0,
  refusals      integer not null default 0,    -- in a row; drives the back-off
  due_at        timestamptz not null default clock_timestamp(),
  run           integer not null default 0,
  queued_at     timestamptz,
  claimed_by    text,
  claim_no      bigint,
  planned_at    timestamptz not null default clock_timestamp(),
  first_sent_at timestamptz,
  last_sent_at  timestamptz,
  unknown_since timestamptz,
  reason_code   text,                          -- why it waits, is unknown or parked
  reason        text,
  verified      boolean,                       -- done: proved by the peer's own records or its echoed key
  result        jsonb,
  settled_at    timestamptz,
  check ((state in ('done', 'cancelled')) = (settled_at is not null)),
  check ((state = 'done') = (verified is not null)),
  check (state <> 'sending' or (claimed_by is not null and attempts > 0 and first_sent_at is not null)),
  check ((state = 'unknown') = (unknown_since is not null)),
  check (state not in ('parked', 'unknown') or reason_code is not null),
  check (state in ('planned', 'sending', 'unknown') or claimed_by is null)
);
-- At most one effect of a lane is on its way or unsettled, whatever the workers believe.
create unique index effects_one_unsettled_per_lane on effects.effects (lane) where state in ('sending', 'unknown');
create index effects_live_by_lane on effects.effects (lane, id) where state in ('planned', 'sending', 'unknown');
create index effects_unqueued on effects.effects (queued_at nulls first, id) where state in ('planned', 'unknown');
create index effects_state on effects.effects (state, id);

-- Every look at the peer and every sending, kept for good.
create table effects.attempts (
  id          bigint generated always as identity primary key,
  effect_id   bigint not null references effects.effects (id),
  purpose     text not null check (purpose in ('send', 'cross-check')),
  number      integer not null,                -- of the sendings; a cross-check carries the sending it asks about
  worker      text not null,
  claim_no    bigint not null,
  session_id  text,                            -- the FileMaker session it went through
  began_at    timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  duration_ms integer,
  stage       text check (stage in ('not-sent', 'refused', 'unheard', 'answered')),
  code        text,
  verdict     text check (verdict in ('done', 'refused', 'unknown', 'there', 'not-there', 'parked', 'wait')),
  detail      text,
  check ((ended_at is null) = (verdict is null))
);
create index attempts_effect on effects.attempts (effect_id, id);
