-- Proof asks which effects a FileMaker session carried: by its full reference, or by the part before the slash.
create index attempts_session on effects.attempts (session_id text_pattern_ops) where session_id is not null;
