-- Voices that accounts have registered or cloned.

CREATE TABLE voices (
    id          TEXT   NOT NULL PRIMARY KEY,
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    name        TEXT   NOT NULL,
    description TEXT,
    language    TEXT,
    created_us  BIGINT NOT NULL,
    -- How often it was changed.
    changes     BIGINT NOT NULL,
    -- What it is for its provider, secrets included: whoever reads it for others leaves them out.
    definition  TEXT,
    -- Or the format of the recording that it was cloned from, which lies in a file.
    sample      TEXT,
    UNIQUE (account_id, name)
);
CREATE INDEX voices_by_creation ON voices (account_id, created_us, id);
