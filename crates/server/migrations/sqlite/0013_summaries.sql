-- What a call was about, written after its end.
ALTER TABLE calls ADD COLUMN short_summary TEXT;
ALTER TABLE calls ADD COLUMN summary TEXT;
ALTER TABLE tombstones ADD COLUMN had_summary BOOLEAN NOT NULL DEFAULT FALSE;
