create schema gates;

-- Work stands still here until someone or something lifts it. A pause is a person's, a halt is a fault's.
create table gates.closures (
  scope  text not null,   -- 'filemaker', 'stripe', 'notices', 'script:NAME', 'flow:NAME'
  kind   text not null check (kind in ('pause', 'halt')),
  cause  text not null,   -- stable code of a halt (FILEMAKER_CREDENTIALS); 'PAUSED' for a pause
  detail text not null,   -- what was seen, or why a person asked
  by     text not null,   -- who: an operator's name, or the process
  since  timestamptz not null default clock_timestamp(),
  primary key (scope, kind)
);

-- A peer that does not answer. While open, nobody calls it but one probe at a time.
create table gates.circuits (
  peer          text primary key,
  opened_at     timestamptz not null default clock_timestamp(),
  because       text not null,
  probes        integer not null default 0,
  next_probe_at timestamptz not null default clock_timestamp()
);
