-- What is left of a body that was erased: enough to say whether a later one is the same.
alter table inbox.events add column body_sha256 bytea;
