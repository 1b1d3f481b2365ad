-- Documents come into a corpus, and leave it, in parts. One that is on its way is not seen.

-- An id is that of one document of a source that is seen; others have ids that are none.
ALTER TABLE corpus_documents ADD COLUMN visible BOOLEAN NOT NULL DEFAULT TRUE;
CREATE INDEX corpus_documents_on_their_way ON corpus_documents (corpus_id, key) WHERE NOT visible;
