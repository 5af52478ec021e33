-- Money of an older handler, and what was planned while observing: the peer is asked whether it has happened, and nothing
-- is sent unless a person says so.
alter table effects.effects
  add column ask_only    boolean not null default false,
  add column body_sha256 bytea;              -- what is left of a body that was erased
alter table effects.effects
  add constraint effects_ask_only_is_never_sent
    check (not ask_only or (check_first and state not in ('sending', 'unknown')));
