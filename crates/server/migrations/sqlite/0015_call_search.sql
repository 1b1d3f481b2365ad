-- What lists of calls are found, counted and summed up by, so that none of it looks at every call. Kept by the database itself.

-- An account's place among the accounts, and how many calls it has had and has.
ALTER TABLE accounts ADD COLUMN number BIGINT;
ALTER TABLE accounts ADD COLUMN calls_made BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN calls BIGINT NOT NULL DEFAULT 0;
-- A call's number: that of its account, times 2^40, and its place among the account's calls.
ALTER TABLE calls ADD COLUMN number BIGINT;

UPDATE accounts SET number = ranked.place
FROM (SELECT id AS ranked_id, ROW_NUMBER() OVER (ORDER BY created_us, id) AS place FROM accounts) AS ranked
WHERE ranked.ranked_id = accounts.id;
UPDATE calls SET number = ranked.number
FROM (
    SELECT calls.id AS ranked_id, accounts.number * 1099511627776
        + ROW_NUMBER() OVER (PARTITION BY calls.account_id ORDER BY calls.created_us, calls.id) AS number
    FROM calls JOIN accounts ON accounts.id = calls.account_id
) AS ranked
WHERE ranked.ranked_id = calls.id;
UPDATE accounts SET calls = (SELECT COUNT(*) FROM calls WHERE account_id = accounts.id);
UPDATE accounts SET calls_made = calls;

CREATE UNIQUE INDEX accounts_by_number ON accounts (number);
CREATE UNIQUE INDEX calls_by_number ON calls (
    number, account_id, created_us, id, joined_us, ended_us, end_reason, duration_us, agent_id, voice
);

-- Texts are no longer read along with every list, so that the indexes that lists are walked by do without them.
DROP INDEX calls_by_creation;
DROP INDEX calls_by_join;
DROP INDEX calls_by_end;
DROP INDEX calls_by_duration;
CREATE INDEX calls_by_creation ON calls (
    account_id, created_us, id, joined_us, ended_us, end_reason, duration_us, agent_id, voice
);
CREATE INDEX calls_by_join ON calls (
    account_id, (COALESCE(joined_us, 9223372036854775807)), id, created_us, duration_us, agent_id, voice
);
CREATE INDEX calls_by_end ON calls (
    account_id, (COALESCE(ended_us, 9223372036854775807)), id, created_us, duration_us, agent_id, voice
);
CREATE INDEX calls_by_duration ON calls (
    account_id, (COALESCE(duration_us, 9223372036854775807)), id, created_us, duration_us, agent_id, voice
);

-- Every three letters in a row of what is searched, which is in lower case already; by the calls' numbers, so that each account's
-- lie together.
CREATE VIRTUAL TABLE call_words USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO call_words (rowid, words) SELECT number, words FROM calls ORDER BY number;

-- The metadata, one row each: key and value as JSON texts with a colon between.
CREATE TABLE call_facts (
    account_id TEXT   NOT NULL,
    fact       TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    PRIMARY KEY (account_id, fact, number)
) WITHOUT ROWID;
INSERT INTO call_facts (account_id, fact, number)
SELECT calls.account_id, json_quote(each.key) || ':' || json_quote(each.value), calls.number
FROM calls, json_each(calls.request, '$.metadata') AS each;

-- Calls summed up by the hour of their creation and by agent; '' where they had none.
CREATE TABLE call_hours (
    account_id  TEXT   NOT NULL,
    hour        BIGINT NOT NULL,
    agent_id    TEXT   NOT NULL,
    agent_name  TEXT,
    calls       BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    joined      BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    billed      BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour, agent_id)
) WITHOUT ROWID;
INSERT INTO call_hours (account_id, hour, agent_id, agent_name, calls, failed, joined, duration_us, billed)
SELECT account_id, created_us / 3600000000, COALESCE(agent_id, ''), MAX(agent_name), COUNT(*),
    COALESCE(SUM(end_reason IN ('connection_error', 'system_error')), 0), COUNT(joined_us),
    COALESCE(SUM(duration_us), 0), COALESCE(SUM((duration_us + 5999999) / 6000000), 0)
FROM calls GROUP BY 1, 2, 3;

CREATE TRIGGER account_numbered AFTER INSERT ON accounts BEGIN
    UPDATE accounts SET number = (SELECT COALESCE(MAX(number), 0) + 1 FROM accounts) WHERE id = new.id;
END;

CREATE TRIGGER call_kept AFTER INSERT ON calls BEGIN
    UPDATE accounts SET calls = calls + 1, calls_made = calls_made + 1 WHERE id = new.account_id;
    INSERT INTO call_words (rowid, words) VALUES (new.number, new.words);
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

CREATE TRIGGER call_moved_on AFTER UPDATE OF joined_us, end_reason, duration_us ON calls BEGIN
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
    DELETE FROM call_words WHERE rowid = old.number;
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

-- The calls of a tool in their order.
ALTER TABLE call_tools ADD COLUMN created_us BIGINT NOT NULL DEFAULT 0;
UPDATE call_tools SET created_us = (SELECT created_us FROM calls WHERE id = call_id);
DROP INDEX call_tools_by_tool;
CREATE INDEX call_tools_by_tool ON call_tools (tool_id, created_us, call_id, errors);
