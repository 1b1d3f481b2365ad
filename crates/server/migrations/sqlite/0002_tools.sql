-- Tools that last, and which calls had them.

CREATE TABLE tools (
    id         TEXT   NOT NULL PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    name       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    definition TEXT   NOT NULL
);
CREATE INDEX tools_by_creation ON tools (account_id, created_us, id);
CREATE INDEX tools_by_name ON tools (account_id, name);

CREATE TABLE call_tools (
    call_id TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    -- The name that the call's model knows it by.
    name    TEXT   NOT NULL,
    -- The tool may be gone meanwhile.
    tool_id TEXT   NOT NULL,
    -- How often it failed in the call.
    errors  BIGINT NOT NULL,
    PRIMARY KEY (call_id, name)
);
CREATE INDEX call_tools_by_tool ON call_tools (tool_id, call_id);
