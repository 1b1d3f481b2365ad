-- Summaries that failed are tried again.

-- How often one was tried and failed, and when to try it next.
ALTER TABLE endings ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE endings ADD COLUMN due_us BIGINT NOT NULL DEFAULT 0;
DROP INDEX endings_by_phase;
CREATE INDEX endings_by_phase ON endings (phase, ended_us, call_id, due_us, attempts);
