-- Asking the peer is looked for beside the queue, each second: what has waited longest is found without reading the backlog.
create index effects_to_ask on effects.effects (due_at)
  where state = 'unknown' or (state = 'planned' and check_first);
