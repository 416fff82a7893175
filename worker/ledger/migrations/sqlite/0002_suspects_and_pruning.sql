-- Messages that were touched and may have killed who touched them; a row goes when its message was survived.
CREATE TABLE suspects (
    fingerprint TEXT PRIMARY KEY,
    times       INTEGER NOT NULL,
    noted_at    REAL NOT NULL
) WITHOUT ROWID;

-- What can be forgotten, oldest first.
CREATE INDEX jobs_to_prune ON jobs (updated_at) WHERE phase = 'done' AND outcome <> 'in_doubt';
