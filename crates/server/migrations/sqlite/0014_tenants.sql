-- What a key is beside its hash, and accounts' keys for other people's services.

-- When it ceases to open anything.
ALTER TABLE api_keys ADD COLUMN expiry_us BIGINT;
-- The key that it was made with, by its prefix or its name in the configuration.
ALTER TABLE api_keys ADD COLUMN creator TEXT;
CREATE INDEX api_keys_by_account ON api_keys (account_id, created_us, prefix);

CREATE TABLE provider_keys (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    provider   TEXT NOT NULL,
    -- The key itself: whoever reads it for others shows no more than how it begins.
    secret     TEXT NOT NULL,
    PRIMARY KEY (account_id, provider)
);
