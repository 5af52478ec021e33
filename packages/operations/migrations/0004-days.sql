-- Closed days: what was paid on a day, and how it stood in FileMaker when the day was closed. Each is a link of a chain.
create table operations.days (
  day           date primary key,
  number        integer not null unique,     -- place in the chain, from 1
  time_zone     text not null,
  since         timestamptz not null,
  until         timestamptz not null,
  closed_at     timestamptz not null,        -- what our records had by then is in it; what came later goes into the next
  closed_by     text not null,
  contents      text,                        -- canonical JSON, shown again as it is; null once erased
  digest        bytea not null check (octet_length(digest) = 32),        -- sha256 of contents
  previous_head bytea not null check (octet_length(previous_head) = 32), -- zeros for the first
  head          bytea not null unique check (octet_length(head) = 32),   -- sha256(previous_head || day || digest)
  check (since <= until)
);

-- A closed day is never edited: its contents may be erased, nothing else.
create function operations.keep_closed_day() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.contents is null
     and (new.day, new.number, new.time_zone, new.since, new.until, new.closed_at, new.closed_by, new.digest, new.previous_head, new.head)
       = (old.day, old.number, old.time_zone, old.since, old.until, old.closed_at, old.closed_by, old.digest, old.previous_head, old.head)
  then
    return new;
  end if;
  raise exception 'day % is closed', old.day using errcode = 'restrict_violation';
end
$$;
create trigger keep_closed_day before update or delete on operations.days
  for each row execute function operations.keep_closed_day();

-- What each closed day counted: every payment, refund and dispute once, whatever day it is told of later.
create table operations.day_entries (
  flow       text not null,
  kind       text not null check (kind in ('payment', 'refund', 'dispute', 'refund-undone')),
  id         text not null,                  -- the Checkout Session's, the refund's, the dispute's
  closed_in  date not null references operations.days (day),
  day        date not null,                  -- the day of its money; before closed_in: a correction
  at         timestamptz not null,
  fact_id    text not null,                  -- the payment it belongs to
  related    text[] not null,
  title      text not null,
  amount     bigint not null,                -- minor units
  currency   text not null,
  effect_key text,                           -- of a payment: the effect that applies it
  standing   text not null check (standing in ('verified', 'unverified', 'waiting', 'parked', 'cancelled', 'none')),
  open       boolean not null,               -- a payment that was not settled when it was last looked at
  primary key (flow, kind, id)
);
create index day_entries_closed_in on operations.day_entries (closed_in, at);
create index day_entries_open on operations.day_entries (at) where open;

-- A day's mail is owed until it was sent: once per day and list of recipients.
create table operations.day_mails (
  day        date not null references operations.days (day),
  recipients text not null,                  -- sorted, comma-separated
  state      text not null check (state in ('owed', 'sending', 'sent', 'unheard', 'refused')),
  tries      integer not null default 0,
  due_at     timestamptz not null default clock_timestamp(),
  sent_by    text,                           -- the worker that has it in hand or had it last
  owed_at    timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  code       text,
  detail     text,
  primary key (day, recipients),
  check ((state in ('sent', 'unheard', 'refused')) = (settled_at is not null)),
  check (state <> 'sending' or sent_by is not null)
);
create index day_mails_unsettled on operations.day_mails (due_at) where state in ('owed', 'sending');
