create schema reconciliation;

-- One pass over one window. It goes on from its cursor after a kill: a page's findings, the counters and the cursor are
-- committed together.
create table reconciliation.runs (
  id              bigint generated always as identity primary key,
  flow            text not null,
  pass            text not null,
  asked_by        text not null,               -- 'schedule', or a person: 'cli:ada'
  mode            text not null check (mode in ('act', 'dry-run')),
  since           timestamptz not null,
  until           timestamptz not null,        -- not included
  -- wanted: it waits for a worker or for a peer; superseded: it will not be done, and another or nobody does its work
  state           text not null default 'wanted' check (state in ('wanted', 'running', 'finished', 'failed', 'superseded')),
  cursor          jsonb,                       -- the flow's own; null: at the beginning
  share           real not null default 0,     -- of the window, 0 to 1
  listed          bigint not null default 0,   -- objects that the source named
  checked         bigint not null default 0,   -- of those, compared; the rest was too young or in hand
  unasked         bigint not null default 0,   -- of those compared, FileMaker could not be asked about
  pages           integer not null default 0,
  found           integer not null default 0,  -- findings seen, new ones and known ones
  opened          integer not null default 0,  -- of those, new
  fixed           integer not null default 0,  -- open findings that were not found again
  acted           integer not null default 0,  -- events recorded for what was missed
  stripe_calls    bigint not null default 0,
  filemaker_finds bigint not null default 0,
  failures        integer not null default 0,  -- in a row, without a page in between
  due_at          timestamptz not null default clock_timestamp(),
  job_run         integer not null default 0,  -- raised at every job: the queue ignores an id it still holds
  queued_at       timestamptz,
  claimed_by      text,
  claim_no        bigint,
  reason_code     text,                        -- why it waits, failed or was superseded
  reason          text,
  wanted_at       timestamptz not null default clock_timestamp(),
  began_at        timestamptz,
  moved_at        timestamptz,                 -- the last page, or the last time that it began again
  ended_at        timestamptz,
  check (since < until),
  check ((state in ('finished', 'failed', 'superseded')) = (ended_at is not null)),
  check ((state = 'running') = (claimed_by is not null)),
  check (state not in ('failed', 'superseded') or reason_code is not null)
);
-- One run of a pass at a time, whatever the workers believe, and one that the clock has asked for.
create unique index runs_one_at_a_time on reconciliation.runs (flow, pass) where state = 'running';
create unique index runs_one_scheduled on reconciliation.runs (flow, pass) where asked_by = 'schedule' and state in ('wanted', 'running');
create index runs_unfinished on reconciliation.runs (due_at) where state in ('wanted', 'running');
create index runs_finished on reconciliation.runs (flow, pass, until desc) where state = 'finished';

-- Where two books differ. One open finding of a class for one object; a finding that was closed and comes again is a new one.
create table reconciliation.findings (
  id              bigint generated always as identity primary key,
  flow            text not null,
  class           text not null,
  object_id       text not null,               -- the object's id at Stripe
  stripe_value    text,                        -- the same thing in each of the three books; null: nothing said, or not asked
  recorded_value  text,
  filemaker_value text,
  amount          bigint not null check (amount >= 0), -- minor units at risk
  currency        text not null,
  message         text not null,
  replay          jsonb,                       -- the event that would put it right; null: a person decides
  before_start    boolean not null default false, -- money from before recovery's beginning: never acted on by itself
  state           text not null default 'open' check (state in ('open', 'fixed', 'accepted')),
  first_seen      timestamptz not null default clock_timestamp(),
  last_seen       timestamptz not null default clock_timestamp(),
  first_run       bigint not null,             -- runs that found nothing are removed after some weeks, these are not
  last_run        bigint not null,
  acted_at        timestamptz,
  inbox_id        bigint,                      -- the inbox row of the replay
  fixed_how       text check (fixed_how in ('replayed', 'by itself', 'by a person')),
  fixed_at        timestamptz,
  fixed_run       bigint,
  accepted_by     text,
  accepted_why    text,
  accepted_at     timestamptz,
  check ((state = 'fixed') = (fixed_at is not null)),
  check ((state = 'fixed') = (fixed_how is not null)),
  check ((state = 'accepted') = (accepted_at is not null)),
  check ((acted_at is null) = (inbox_id is null))
);
create unique index findings_one_open on reconciliation.findings (flow, class, object_id) where state = 'open';
create index findings_object on reconciliation.findings (object_id);
create index findings_last_run on reconciliation.findings (last_run);
create index findings_by_state on reconciliation.findings (state, id);

-- Requests to Stripe by day (UTC), of all processes: Stripe allows so many for each transaction in thirty days.
create table reconciliation.stripe_reads (
  day   date primary key,
  reads bigint not null
);
