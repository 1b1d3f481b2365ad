-- The node whose call it is, where several share a database; here never set.
ALTER TABLE calls ADD COLUMN node TEXT;
