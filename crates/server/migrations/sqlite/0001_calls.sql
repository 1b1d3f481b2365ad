-- Accounts, keys, and calls with what was said in them. Times are microseconds since 1970, ids lower-case UUIDs, JSON as text.

CREATE TABLE accounts (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE,
    created_us BIGINT NOT NULL
);

CREATE TABLE api_keys (
    prefix     TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    hash       BLOB   NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT
);

CREATE TABLE calls (
    id                TEXT    NOT NULL PRIMARY KEY,
    account_id        TEXT    NOT NULL REFERENCES accounts (id),
    created_us        BIGINT  NOT NULL,
    joined_us         BIGINT,
    ended_us          BIGINT,
    end_reason        TEXT,
    client_version    TEXT,
    greeting_prompt   BOOLEAN NOT NULL,
    recording_enabled BOOLEAN NOT NULL,
    -- The effective creation request, secrets included: whoever reads it for others leaves them out.
    request           TEXT    NOT NULL
);
CREATE INDEX calls_by_creation ON calls (account_id, created_us, id);
CREATE INDEX calls_unfinished ON calls (id) WHERE ended_us IS NULL;

CREATE TABLE messages (
    call_id     TEXT    NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    -- Place in the whole call, over all stages.
    position    BIGINT  NOT NULL,
    stage_id    TEXT    NOT NULL,
    stage_index BIGINT  NOT NULL,
    -- Whether the stage began with it, so that it was not said in the call.
    initial     BOOLEAN NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (call_id, position)
);

CREATE TABLE call_events (
    call_id  TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    stage_id TEXT,
    at_us    BIGINT NOT NULL,
    severity TEXT   NOT NULL,
    type     TEXT   NOT NULL,
    text     TEXT   NOT NULL,
    extras   TEXT,
    PRIMARY KEY (call_id, position)
);

CREATE TABLE tombstones (
    call_id           TEXT    NOT NULL PRIMARY KEY,
    account_id        TEXT    NOT NULL REFERENCES accounts (id),
    created_us        BIGINT  NOT NULL,
    joined_us         BIGINT,
    ended_us          BIGINT,
    end_reason        TEXT,
    recording_enabled BOOLEAN NOT NULL,
    deleted_us        BIGINT  NOT NULL
);
