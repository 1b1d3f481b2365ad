-- Webhooks, what is to be delivered to them and to calls' callbacks, and what is still to be done for calls that ended.

CREATE TABLE webhooks (
    id                TEXT    NOT NULL PRIMARY KEY,
    account_id        TEXT    NOT NULL REFERENCES accounts (id),
    -- The agent whose calls are told of; all calls if none. It may be gone meanwhile.
    agent_id          TEXT,
    created_us        BIGINT  NOT NULL,
    url               TEXT    NOT NULL,
    -- A JSON list. Whoever shows it shows it to its owner.
    secrets           TEXT    NOT NULL,
    -- A sum: 1 created, 2 joined, 4 ended, 8 billed.
    events            BIGINT  NOT NULL,
    naive_timestamps  BOOLEAN NOT NULL,
    unhealthy         BOOLEAN NOT NULL,
    status_changed_us BIGINT,
    -- Attempts in a row that failed.
    failures          BIGINT  NOT NULL,
    -- A JSON list, newest first, bounded.
    recent_failures   TEXT    NOT NULL,
    -- Counts changes of what its owner sets.
    version           BIGINT  NOT NULL
);
CREATE INDEX webhooks_by_creation ON webhooks (account_id, created_us, id);

-- What happened to calls, once for every receiver. What is posted is made of the call when it is posted, so nothing of the call is
-- in here but its id.
CREATE TABLE deliveries (
    -- "webhook:ID", or "callback:ACCOUNT:ORIGIN".
    receiver    TEXT   NOT NULL,
    call_id     TEXT   NOT NULL,
    -- The place in the call's life: 0 created, 1 joined, 2 ended, 3 billed.
    number      BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    -- waiting, delivered, given_up or canceled.
    state       TEXT   NOT NULL,
    -- When to attempt it; null if it is over, or waits for the one before it.
    due_us      BIGINT,
    finished_us BIGINT,
    -- A JSON list, oldest first.
    attempts    TEXT   NOT NULL,
    PRIMARY KEY (receiver, call_id, number)
);
CREATE INDEX deliveries_due ON deliveries (receiver, due_us, call_id) WHERE due_us IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (call_id, receiver, number) WHERE state = 'waiting';
CREATE INDEX deliveries_by_creation ON deliveries (receiver, created_us, call_id, number);
CREATE INDEX deliveries_by_end ON deliveries (finished_us) WHERE finished_us IS NOT NULL;
CREATE INDEX deliveries_log ON deliveries (receiver, finished_us) WHERE finished_us IS NOT NULL;

-- The receivers for which something can be attempted, and when the first of it is due.
CREATE TABLE delivery_queues (
    receiver TEXT    NOT NULL PRIMARY KEY,
    due_us   BIGINT  NOT NULL,
    -- Whether the last attempt failed.
    failing  BOOLEAN NOT NULL
);
CREATE INDEX delivery_queues_due ON delivery_queues (failing, due_us, receiver);

-- Calls that ended and are not done with.
CREATE TABLE endings (
    call_id     TEXT    NOT NULL PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
    ended_us    BIGINT  NOT NULL,
    -- 0: receivers are not told of the end before the call is summed up; 1: it will be summed up, receivers do not wait for that;
    -- 2: the call is deleted once all is delivered; 3: it can be deleted.
    phase       BIGINT  NOT NULL,
    auto_delete BOOLEAN NOT NULL
);
CREATE INDEX endings_by_phase ON endings (phase, ended_us, call_id);
