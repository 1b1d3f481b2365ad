-- The processes that serve this database.
CREATE TABLE nodes (
    id      TEXT        COLLATE "C" NOT NULL PRIMARY KEY,
    -- When it last said that it lives, by the clock of the database.
    seen    TIMESTAMPTZ NOT NULL,
    -- It is stopping.
    leaving BOOLEAN     NOT NULL
);

-- What is done by one node for all, and by which.
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    node TEXT COLLATE "C" NOT NULL REFERENCES nodes (id) ON DELETE CASCADE
);
CREATE INDEX leases_by_node ON leases (node);

-- What nodes tell each other, until it is read.
CREATE TABLE letters (
    number BIGINT      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node   TEXT        COLLATE "C" NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    sent   TIMESTAMPTZ NOT NULL,
    letter TEXT        NOT NULL
);
CREATE INDEX letters_by_node ON letters (node);
