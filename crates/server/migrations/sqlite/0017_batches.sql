-- Batches of scheduled calls.

CREATE TABLE batches (
    id            TEXT    NOT NULL PRIMARY KEY,
    account_id    TEXT    NOT NULL REFERENCES accounts (id),
    agent_id      TEXT    NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    created_us    BIGINT  NOT NULL,
    -- As they were given, the webhook's secret included.
    settings      TEXT    NOT NULL,
    -- What of the settings is asked about.
    throttle_id   TEXT    REFERENCES call_throttles (id) ON DELETE SET NULL,
    window_end_us BIGINT,
    paused        BOOLEAN NOT NULL,
    total         BIGINT  NOT NULL,
    -- How many calls were created or failed.
    completed     BIGINT  NOT NULL,
    ended_us      BIGINT,
    -- How often the webhook failed in a row.
    failures      BIGINT  NOT NULL,
    -- When there is something to do; nothing if never.
    next_us       BIGINT,
    -- How often the settings were changed.
    version       BIGINT  NOT NULL
);
CREATE INDEX batches_by_creation ON batches (agent_id, created_us, id);
CREATE INDEX batches_by_account ON batches (account_id);
CREATE INDEX batches_by_throttle ON batches (throttle_id) WHERE throttle_id IS NOT NULL;
CREATE INDEX batches_due ON batches (next_us) WHERE next_us IS NOT NULL;

CREATE TABLE scheduled_calls (
    batch_id TEXT   NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    -- Place in the batch.
    position BIGINT NOT NULL,
    status   TEXT   NOT NULL,
    -- The call may be gone meanwhile.
    call_id  TEXT,
    error    TEXT,
    request  TEXT   NOT NULL,
    PRIMARY KEY (batch_id, position)
);
CREATE INDEX scheduled_calls_by_status ON scheduled_calls (batch_id, status, position);
CREATE INDEX scheduled_calls_pending ON scheduled_calls (batch_id, position) WHERE status = 'PENDING';

-- Which batch a call comes from, and its place there. The batch may be gone meanwhile.
ALTER TABLE calls ADD COLUMN batch_id TEXT;
ALTER TABLE calls ADD COLUMN batch_position BIGINT;
CREATE INDEX calls_by_batch ON calls (batch_id, batch_position) WHERE batch_id IS NOT NULL;
