-- The cut-over beside an older handler, and what a restore makes uncertain.
alter table installation.installation
  add column live_from     timestamptz,   -- a person's word: money from before is the older handler's
  add column live_said_at  timestamptz,
  add column first_live_at timestamptz,   -- when a worker first started to perform; null: it has only observed
  add column home          text,          -- where this database lives: another place means that it was restored
  add column restored_at   timestamptz;   -- when that was last noticed: what happened before may have been forgotten
