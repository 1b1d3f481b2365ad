-- Limits on how many calls are created, and what they have counted.

CREATE TABLE call_throttles (
    id         TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    rules      TEXT   NOT NULL,
    -- How often it was changed.
    version    BIGINT NOT NULL,
    UNIQUE (account_id, name)
);

-- A call counts whether or not it still exists. Kept as long as a window can be.
CREATE TABLE throttled_calls (
    throttle_id TEXT   NOT NULL REFERENCES call_throttles (id) ON DELETE CASCADE,
    created_us  BIGINT NOT NULL,
    call_id     TEXT   NOT NULL,
    PRIMARY KEY (throttle_id, created_us, call_id)
);
