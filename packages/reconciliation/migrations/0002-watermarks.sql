-- How far the list of events at Stripe has been read into the inbox. Moved in the transaction that inserts the rows.
create table reconciliation.watermarks (
  source        text primary key,            -- 'stripe-events'
  delivery      text not null check (delivery in ('pull', 'reconciliation')), -- who fetched last
  reached_at    timestamptz,                 -- every event made up to here is in the inbox; null: nothing was fetched yet
  fetch_no      bigint not null default 0,   -- of the last fetch that came to its end
  fetched_at    timestamptz,                 -- when it did
  failing_since timestamptz,                 -- the first failure since then
  failure_code  text,
  failure       text,
  missed_from   timestamptz,                 -- Stripe's list did not reach back so far any more: left to other passes
  missed_until  timestamptz,
  missed_seen_at timestamptz,
  check ((failing_since is null) = (failure_code is null)),
  check ((missed_from is null) = (missed_until is null) and (missed_from is null) = (missed_seen_at is null))
);

-- Reports of observing: what the bridge would have done, beside what FileMaker shows. The last ones are kept.
create table reconciliation.comparisons (
  id          bigint generated always as identity primary key,
  at          timestamptz not null default clock_timestamp(),
  compared    integer not null,              -- effects that were asked about
  shown       integer not null,              -- of these, FileMaker shows that it happened
  not_shown   integer not null,              -- it shows nothing
  cannot_tell integer not null,              -- there is nowhere to look, or what is there proves nothing
  differing   jsonb not null,                -- the first of those not shown: [{ effectId, title }]
  check (compared = shown + not_shown + cannot_tell)
);
