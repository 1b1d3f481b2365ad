-- What calls are filtered, ordered and summed up by, in small rows of their own: whatever looks at many calls looks at these. What is
-- searched lies apart, so that none of it is read along. Deleted calls are here as well, under negative numbers.

-- When the account's latest call was created, how much earlier than one before it any was, and how long any was there.
ALTER TABLE accounts ADD COLUMN latest_us BIGINT;
ALTER TABLE accounts ADD COLUMN disorder_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN longest_us BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET
    latest_us = (SELECT MAX(created_us) FROM calls WHERE account_id = accounts.id),
    longest_us = COALESCE((SELECT MAX(ended_us - created_us) FROM calls WHERE account_id = accounts.id), 0),
    disorder_us = COALESCE((
        SELECT MAX(latest_us - created_us) FROM (
            SELECT created_us, MAX(created_us) OVER (ORDER BY number) AS latest_us
            FROM calls WHERE account_id = accounts.id
        )
    ), 0);

-- Deleted calls have had no number so far.
ALTER TABLE tombstones ADD COLUMN number BIGINT;
UPDATE tombstones SET number = ranked.number
FROM (
    SELECT tombstones.call_id AS ranked_id, accounts.number * 1099511627776 + accounts.calls_made
        + ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY tombstones.created_us, call_id) AS number
    FROM tombstones JOIN accounts ON accounts.id = account_id
) AS ranked
WHERE ranked.ranked_id = call_id;
UPDATE accounts SET calls_made = calls_made + (SELECT COUNT(*) FROM tombstones WHERE account_id = accounts.id);
DROP INDEX tombstones_by_creation;
CREATE UNIQUE INDEX tombstones_by_number ON tombstones (number);

DROP TRIGGER call_kept;
DROP TRIGGER call_moved_on;
DROP TRIGGER call_gone;
DROP INDEX calls_by_number;
DROP INDEX calls_by_creation;
DROP INDEX calls_by_join;
DROP INDEX calls_by_end;
DROP INDEX calls_by_duration;
DROP INDEX calls_by_agent;
CREATE UNIQUE INDEX calls_by_number ON calls (number);

CREATE TABLE call_heads (
    -- The call's; what is left of a deleted call has it with the other sign.
    number      INTEGER PRIMARY KEY,
    -- The account's, likewise.
    account     BIGINT  NOT NULL,
    -- The 16 bytes of the id, and of the agent's.
    id          BLOB    NOT NULL,
    agent       BLOB,
    voice       TEXT,
    created_us  BIGINT  NOT NULL,
    joined_us   BIGINT,
    ended_us    BIGINT,
    duration_us BIGINT,
    failed      BOOLEAN NOT NULL
);
INSERT INTO call_heads
SELECT calls.number, accounts.number, unhex(replace(calls.id, '-', '')), unhex(replace(agent_id, '-', '')), voice,
    calls.created_us, joined_us, ended_us, duration_us,
    COALESCE(end_reason IN ('connection_error', 'system_error'), FALSE)
FROM calls JOIN accounts ON accounts.id = account_id ORDER BY calls.number;
INSERT INTO call_heads
SELECT -tombstones.number, -accounts.number, unhex(replace(call_id, '-', '')), unhex(replace(agent_id, '-', '')), '',
    tombstones.created_us, joined_us, ended_us, duration_us,
    COALESCE(end_reason IN ('connection_error', 'system_error'), FALSE)
FROM tombstones JOIN accounts ON accounts.id = account_id;

-- Each holds all that a filter looks at but texts. What has not happened yet comes last.
CREATE INDEX call_heads_by_creation ON call_heads (
    account, created_us, id, duration_us, agent, voice, joined_us, ended_us
);
CREATE INDEX call_heads_by_join ON call_heads (
    account, (COALESCE(joined_us, 9223372036854775807)), id, created_us, duration_us, agent, voice
);
CREATE INDEX call_heads_by_end ON call_heads (
    account, (COALESCE(ended_us, 9223372036854775807)), id, created_us, duration_us, agent, voice
);
CREATE INDEX call_heads_by_duration ON call_heads (
    account, (COALESCE(duration_us, 9223372036854775807)), id, created_us, duration_us, agent, voice
);
CREATE INDEX call_heads_by_agent ON call_heads (account, agent, created_us, id, duration_us, voice)
WHERE agent IS NOT NULL;
-- In the order in which they are summed up.
CREATE INDEX call_heads_by_hour ON call_heads (
    account, (created_us / 3600000000), created_us, agent, voice, joined_us, failed, duration_us
);
CREATE INDEX call_heads_by_agent_and_day ON call_heads (
    account, agent, (created_us / 86400000000), created_us, voice, duration_us
) WHERE agent IS NOT NULL;

-- What is searched, in lower case.
CREATE TABLE call_texts (
    number INTEGER PRIMARY KEY,
    words  TEXT    NOT NULL
);
INSERT INTO call_texts SELECT number, words FROM calls ORDER BY number;
INSERT INTO call_texts SELECT -number, call_id FROM tombstones;
INSERT INTO call_words (rowid, words) SELECT number, words FROM call_texts WHERE number < 0 ORDER BY number;

-- Every letter in it and every two in a row, once: "61" is an a, "61g62" is "ab". This is what shorter words are found by.
CREATE VIRTUAL TABLE call_letters USING fts5 (
    letters, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
WITH RECURSIVE pairs (number, at, words) AS (
    SELECT number, 1, words FROM call_texts
    UNION ALL SELECT number, at + 1, words FROM pairs WHERE at < length(words)
)
INSERT INTO call_letters (rowid, letters)
SELECT number, group_concat(
    printf('%x', unicode(substr(words, at, 1))) || CASE
        WHEN at < length(words)
        THEN printf(' %xg%x', unicode(substr(words, at, 1)), unicode(substr(words, at + 1, 1)))
        ELSE ''
    END,
    ' '
)
FROM pairs GROUP BY number;

ALTER TABLE calls DROP COLUMN facts;
ALTER TABLE calls DROP COLUMN words;
ALTER TABLE tombstones DROP COLUMN facts;
ALTER TABLE tombstones DROP COLUMN words;
ALTER TABLE tombstones DROP COLUMN voice;

CREATE TRIGGER call_kept AFTER INSERT ON calls BEGIN
    UPDATE accounts SET
        calls = calls + 1,
        calls_made = calls_made + 1,
        disorder_us = MAX(disorder_us, COALESCE(latest_us - new.created_us, 0)),
        latest_us = MAX(COALESCE(latest_us, new.created_us), new.created_us),
        longest_us = MAX(longest_us, COALESCE(new.ended_us - new.created_us, 0))
    WHERE id = new.account_id;
    INSERT INTO call_heads (
        number, account, id, agent, voice, created_us, joined_us, ended_us, duration_us, failed
    )
    SELECT new.number, number, unhex(replace(new.id, '-', '')), unhex(replace(new.agent_id, '-', '')), new.voice,
        new.created_us, new.joined_us, new.ended_us, new.duration_us,
        COALESCE(new.end_reason IN ('connection_error', 'system_error'), FALSE)
    FROM accounts WHERE id = new.account_id;
    INSERT INTO call_facts (account_id, fact, number)
    SELECT new.account_id, json_quote(each.key) || ':' || json_quote(each.value), new.number
    FROM json_each(new.request, '$.metadata') AS each;
    INSERT INTO call_hours (account_id, hour, agent_id, agent_name, calls, failed, joined, duration_us, billed)
    VALUES (
        new.account_id, new.created_us / 3600000000, COALESCE(new.agent_id, ''), new.agent_name, 1,
        COALESCE(new.end_reason IN ('connection_error', 'system_error'), 0), new.joined_us IS NOT NULL,
        COALESCE(new.duration_us, 0), COALESCE((new.duration_us + 5999999) / 6000000, 0)
    )
    ON CONFLICT (account_id, hour, agent_id) DO UPDATE SET
        agent_name = excluded.agent_name,
        calls = calls + 1,
        failed = failed + excluded.failed,
        joined = joined + excluded.joined,
        duration_us = duration_us + excluded.duration_us,
        billed = billed + excluded.billed;
END;

CREATE TRIGGER call_moved_on AFTER UPDATE OF joined_us, ended_us, end_reason, duration_us ON calls BEGIN
    UPDATE accounts SET longest_us = new.ended_us - new.created_us
    WHERE id = new.account_id AND longest_us < new.ended_us - new.created_us;
    UPDATE call_heads SET
        joined_us = new.joined_us,
        ended_us = new.ended_us,
        duration_us = new.duration_us,
        failed = COALESCE(new.end_reason IN ('connection_error', 'system_error'), FALSE)
    WHERE number = new.number;
    UPDATE call_hours SET
        failed = failed + COALESCE(new.end_reason IN ('connection_error', 'system_error'), 0)
            - COALESCE(old.end_reason IN ('connection_error', 'system_error'), 0),
        joined = joined + (new.joined_us IS NOT NULL) - (old.joined_us IS NOT NULL),
        duration_us = duration_us + COALESCE(new.duration_us, 0) - COALESCE(old.duration_us, 0),
        billed = billed + COALESCE((new.duration_us + 5999999) / 6000000, 0)
            - COALESCE((old.duration_us + 5999999) / 6000000, 0)
    WHERE account_id = new.account_id AND hour = new.created_us / 3600000000
        AND agent_id = COALESCE(new.agent_id, '');
END;

CREATE TRIGGER call_gone AFTER DELETE ON calls BEGIN
    UPDATE accounts SET calls = calls - 1 WHERE id = old.account_id;
    DELETE FROM call_heads WHERE number = old.number;
    DELETE FROM call_texts WHERE number = old.number;
    DELETE FROM call_facts WHERE account_id = old.account_id AND number = old.number AND fact IN (
        SELECT json_quote(each.key) || ':' || json_quote(each.value)
        FROM json_each(old.request, '$.metadata') AS each
    );
    UPDATE call_hours SET
        calls = calls - 1,
        failed = failed - COALESCE(old.end_reason IN ('connection_error', 'system_error'), 0),
        joined = joined - (old.joined_us IS NOT NULL),
        duration_us = duration_us - COALESCE(old.duration_us, 0),
        billed = billed - COALESCE((old.duration_us + 5999999) / 6000000, 0)
    WHERE account_id = old.account_id AND hour = old.created_us / 3600000000
        AND agent_id = COALESCE(old.agent_id, '');
    DELETE FROM call_hours WHERE account_id = old.account_id AND hour = old.created_us / 3600000000
        AND agent_id = COALESCE(old.agent_id, '') AND calls = 0;
END;

CREATE TRIGGER tombstone_kept AFTER INSERT ON tombstones BEGIN
    INSERT INTO call_heads (
        number, account, id, agent, voice, created_us, joined_us, ended_us, duration_us, failed
    )
    SELECT -new.number, -number, unhex(replace(new.call_id, '-', '')), unhex(replace(new.agent_id, '-', '')), '',
        new.created_us, new.joined_us, new.ended_us, new.duration_us,
        COALESCE(new.end_reason IN ('connection_error', 'system_error'), FALSE)
    FROM accounts WHERE id = new.account_id;
END;

CREATE TRIGGER call_text_kept AFTER INSERT ON call_texts BEGIN
    INSERT INTO call_words (rowid, words) VALUES (new.number, new.words);
END;

CREATE TRIGGER call_text_gone AFTER DELETE ON call_texts BEGIN
    DELETE FROM call_words WHERE rowid = old.number;
    DELETE FROM call_letters WHERE rowid = old.number;
END;
