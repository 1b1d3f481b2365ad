-- How calls come in over SIP, where to register, and accounts at telephony providers. Secrets are in the documents: whoever reads
-- them for others leaves them out.

CREATE TABLE sip_settings (
    account_id TEXT   NOT NULL PRIMARY KEY REFERENCES accounts (id),
    settings   TEXT   NOT NULL,
    -- How often it was changed.
    version    BIGINT NOT NULL
);

CREATE TABLE sip_registrations (
    id         TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    created_us BIGINT NOT NULL,
    settings   TEXT   NOT NULL,
    version    BIGINT NOT NULL
);
CREATE INDEX sip_registrations_by_creation ON sip_registrations (account_id, created_us, id);

CREATE TABLE telephony_settings (
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    provider   TEXT   NOT NULL,
    settings   TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    PRIMARY KEY (account_id, provider)
);
