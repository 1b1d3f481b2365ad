-- Corpora, where their documents come from, and what is in these. Each corpus has a full-text index of its own beside these tables
-- (corpus_index_KEY), so that no corpus is found by the words of another, and none is slower for the size of another.

CREATE TABLE corpora (
    -- What the tables of its index are named by. Never used again.
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    account_id  TEXT    NOT NULL REFERENCES accounts (id),
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_us  BIGINT  NOT NULL,
    -- When its contents last changed.
    updated_us  BIGINT
);
CREATE INDEX corpora_by_creation ON corpora (account_id, created_us, id);

CREATE TABLE corpus_sources (
    id          TEXT    NOT NULL PRIMARY KEY,
    corpus_id   TEXT    NOT NULL REFERENCES corpora (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_us  BIGINT  NOT NULL,
    -- In the words of the API: crawl, upload or advanced.
    spec        TEXT    NOT NULL,
    -- Whether that is the web.
    crawls      BOOLEAN NOT NULL,
    -- Counts its changes.
    revision    INTEGER NOT NULL,
    loading     BOOLEAN NOT NULL,
    -- When it was last loaded to the end.
    updated_us  BIGINT,
    documents   BIGINT  NOT NULL,
    passages    BIGINT  NOT NULL,
    vectors     BIGINT  NOT NULL
);
CREATE INDEX corpus_sources_by_creation ON corpus_sources (corpus_id, created_us, id);
CREATE INDEX corpus_sources_to_load ON corpus_sources (crawls, created_us, id) WHERE loading;

CREATE TABLE corpus_documents (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL,
    corpus_id  TEXT    NOT NULL,
    source_id  TEXT    NOT NULL REFERENCES corpus_sources (id) ON DELETE CASCADE,
    created_us BIGINT  NOT NULL,
    mime_type  TEXT    NOT NULL,
    size       BIGINT  NOT NULL,
    -- In the words of the API.
    metadata   TEXT    NOT NULL,
    passages   BIGINT  NOT NULL,
    vectors    BIGINT  NOT NULL,
    UNIQUE (source_id, id)
);
CREATE INDEX corpus_documents_by_creation ON corpus_documents (source_id, created_us, id);

CREATE TABLE corpus_passages (
    -- Its row in the index.
    key          INTEGER PRIMARY KEY AUTOINCREMENT,
    document_key INTEGER NOT NULL REFERENCES corpus_documents (key) ON DELETE CASCADE,
    text         TEXT    NOT NULL
);
CREATE INDEX corpus_passages_by_document ON corpus_passages (document_key);

-- The vectors of a document, or of a part of a large one: of each, its passage's key (8 bytes, little-endian) and its direction.
CREATE TABLE corpus_vectors (
    key          INTEGER PRIMARY KEY,
    document_key INTEGER NOT NULL REFERENCES corpus_documents (key) ON DELETE CASCADE,
    corpus_id    TEXT    NOT NULL,
    model        TEXT    NOT NULL,
    dimensions   INTEGER NOT NULL,
    directions   BLOB    NOT NULL
);
CREATE INDEX corpus_vectors_by_corpus ON corpus_vectors (corpus_id, model, dimensions);
CREATE INDEX corpus_vectors_by_document ON corpus_vectors (document_key);

CREATE TABLE corpus_uploads (
    id         TEXT   NOT NULL PRIMARY KEY,
    corpus_id  TEXT   NOT NULL REFERENCES corpora (id) ON DELETE CASCADE,
    mime_type  TEXT   NOT NULL,
    file_name  TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    -- SHA-256 of what lets its bytes in, in hexadecimal.
    token_hash TEXT   NOT NULL UNIQUE,
    size       BIGINT
);
CREATE INDEX corpus_uploads_by_corpus ON corpus_uploads (corpus_id, expires_us);

-- Apart, so that looking through uploads does not read them.
CREATE TABLE corpus_upload_contents (
    upload_id TEXT NOT NULL PRIMARY KEY REFERENCES corpus_uploads (id) ON DELETE CASCADE,
    content   BLOB NOT NULL
);
