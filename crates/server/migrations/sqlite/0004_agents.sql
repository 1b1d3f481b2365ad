-- Agents, what they were between their changes, and which calls are whose.

CREATE TABLE agents (
    id          TEXT   NOT NULL PRIMARY KEY,
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    name        TEXT   NOT NULL,
    -- The name in lower case: what it is searched and ordered by.
    folded_name TEXT   NOT NULL,
    created_us  BIGINT NOT NULL,
    -- The published one.
    revision_id TEXT   NOT NULL,
    -- How many calls it has had.
    calls       BIGINT NOT NULL
);
CREATE INDEX agents_by_creation ON agents (account_id, created_us, id);
CREATE INDEX agents_by_name ON agents (account_id, folded_name, id);

CREATE TABLE agent_revisions (
    id         TEXT   NOT NULL PRIMARY KEY,
    agent_id   TEXT   NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    created_us BIGINT NOT NULL,
    -- The call template, secrets included: whoever reads it for others leaves them out.
    template   TEXT   NOT NULL
);
CREATE INDEX agent_revisions_by_agent ON agent_revisions (agent_id);

-- As the agent was when the call was created. It may be gone meanwhile.
ALTER TABLE calls ADD COLUMN agent_id TEXT;
ALTER TABLE calls ADD COLUMN agent_name TEXT;
ALTER TABLE calls ADD COLUMN agent_revision_id TEXT;
CREATE INDEX calls_by_agent ON calls (account_id, agent_id, created_us, id) WHERE agent_id IS NOT NULL;
