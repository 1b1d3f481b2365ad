-- Calls by the voice that was asked for, as by their agents.
CREATE INDEX call_heads_by_voice ON call_heads (account, voice, created_us, id, duration_us, agent)
WHERE voice IS NOT NULL;
-- Those that a clock that was set made to end before they began.
CREATE INDEX call_heads_out_of_order ON call_heads (account)
WHERE ended_us < created_us OR joined_us < created_us OR joined_us > ended_us;
