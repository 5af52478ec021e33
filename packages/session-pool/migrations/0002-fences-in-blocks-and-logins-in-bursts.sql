-- Old workers survive this: they draw larger numbers and pace their logins more slowly.

-- A lease that is handed on from caller to caller of one process numbers them itself: it draws a block of fences.
alter sequence session_pool.fences increment by 1000;

comment on column session_pool.pool.next_login_at is
  'When logins at the even pace would be due again. One may begin while this is no further ahead than a burst of logins lasts.';
comment on column session_pool.pool.failures is
  'Failed logins in a row; those that were under way together count as one. Above 0, one login at a time tries the ground.';

-- When a login was last reported as failed: one that had begun before belongs to the same failure.
alter table session_pool.pool add column failed_at timestamptz;

-- FileMaker seems to have restarted: one login at a time tries the ground, until one has gone well.
alter table session_pool.pool add column restart_suspected boolean not null default false;
