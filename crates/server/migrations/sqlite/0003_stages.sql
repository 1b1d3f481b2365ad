-- Stages of calls. The first one, number 0, is the call's own request and has no row.

CREATE TABLE stages (
    call_id       TEXT   NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    id            TEXT   NOT NULL,
    created_us    BIGINT NOT NULL,
    -- The stage in which the history begins that this one goes on with: its own number, if it began with messages of its own.
    history_from  BIGINT NOT NULL,
    -- What the stage runs with, in the shape of a creation request, secrets included.
    request       TEXT   NOT NULL,
    PRIMARY KEY (call_id, number)
);

ALTER TABLE messages ADD COLUMN stage_number BIGINT NOT NULL DEFAULT 0;
