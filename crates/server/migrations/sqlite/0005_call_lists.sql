-- What calls are listed, filtered and searched by, beside their requests.

-- The voice that was asked for.
ALTER TABLE calls ADD COLUMN voice TEXT;
-- From the join to the end, once it has ended; 0 if nobody joined.
ALTER TABLE calls ADD COLUMN duration_us BIGINT;
-- The metadata, a line for each: key and value as JSON texts with a colon between, and a line break before and behind.
ALTER TABLE calls ADD COLUMN facts TEXT NOT NULL DEFAULT '';
-- What is searched, in lower case.
ALTER TABLE calls ADD COLUMN words TEXT NOT NULL DEFAULT '';

UPDATE calls SET
    voice = json_extract(request, '$.voice'),
    duration_us = CASE
        WHEN ended_us IS NULL THEN NULL
        WHEN joined_us IS NULL OR joined_us > ended_us THEN 0
        ELSE ended_us - joined_us
    END,
    facts = COALESCE(
        (SELECT char(10) || group_concat(json_quote(key) || ':' || json_quote(value), char(10)) || char(10)
         FROM json_each(request, '$.metadata')),
        ''
    ),
    words = lower(
        id || char(10) || COALESCE(agent_name || char(10), '')
        || COALESCE(json_extract(request, '$.voice') || char(10), '')
        || COALESCE((SELECT group_concat(value, char(10)) FROM json_each(request, '$.metadata')), '')
    );

-- Holds all that calls are filtered and summed up by, so that neither reads the requests of calls that it does not show.
DROP INDEX calls_by_creation;
CREATE INDEX calls_by_creation ON calls (
    account_id, created_us, id, joined_us, ended_us, end_reason, duration_us, agent_id, voice, facts, words
);
-- What has not happened yet comes last.
CREATE INDEX calls_by_join ON calls (account_id, (COALESCE(joined_us, 9223372036854775807)), id);
CREATE INDEX calls_by_end ON calls (account_id, (COALESCE(ended_us, 9223372036854775807)), id);
CREATE INDEX calls_by_duration ON calls (account_id, (COALESCE(duration_us, 9223372036854775807)), id);

-- A tombstone has the same columns as far as it is filtered by them, and nothing of what was in the call.
ALTER TABLE tombstones ADD COLUMN agent_id TEXT;
ALTER TABLE tombstones ADD COLUMN voice TEXT NOT NULL DEFAULT '';
ALTER TABLE tombstones ADD COLUMN duration_us BIGINT;
ALTER TABLE tombstones ADD COLUMN facts TEXT NOT NULL DEFAULT '';
ALTER TABLE tombstones ADD COLUMN words TEXT NOT NULL DEFAULT '';
ALTER TABLE tombstones ADD COLUMN max_duration_us BIGINT NOT NULL DEFAULT 3600000000;

UPDATE tombstones SET
    duration_us = CASE
        WHEN ended_us IS NULL THEN NULL
        WHEN joined_us IS NULL OR joined_us > ended_us THEN 0
        ELSE ended_us - joined_us
    END,
    words = lower(call_id);

CREATE INDEX tombstones_by_creation ON tombstones (account_id, created_us, call_id);
