create schema installation;

-- One row: what this database belongs to. Another Stripe account or FileMaker file is refused until a person adopts it.
create table installation.installation (
  one                   boolean primary key default true check (one),
  id                    text not null default replace(gen_random_uuid()::text, '-', ''),
  first_migrated_at     timestamptz not null default clock_timestamp(),
  stripe_fingerprint    text,
  filemaker_fingerprint text,
  adopted_at            timestamptz
);
insert into installation.installation default values;
