-- Services that are followed, or were: one row a request at the most. What is told of them beside the status is in `doc`.
CREATE TABLE follows (
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    service_id  TEXT NOT NULL,
    status      TEXT,
    changes     INTEGER NOT NULL,
    is_over     INTEGER NOT NULL,
    changed_at  REAL NOT NULL,
    deadline_at REAL NOT NULL,
    doc         TEXT NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;

-- Whose a listed service is; and all of a tenant's in order. `is_over` is in it so that SQLite can count them without a
-- look at the rows, which it does not spare itself for the condition alone; the rest, so that a page of services is
-- compared without one.
CREATE INDEX follows_open ON follows (tenant_id, service_id, is_over, status, deadline_at) WHERE is_over = 0;

-- When a tenant's next round is due.
CREATE INDEX follows_by_change ON follows (tenant_id, changed_at) WHERE is_over = 0;
CREATE INDEX follows_by_deadline ON follows (tenant_id, deadline_at) WHERE is_over = 0;

-- One row a tenant: who looks at its services, and when that was last done.
CREATE TABLE rounds (
    tenant_id    TEXT PRIMARY KEY,
    last_at      REAL NOT NULL,
    rest_until   REAL NOT NULL,
    failures     INTEGER NOT NULL,
    owner        TEXT,
    leased_until REAL
) WITHOUT ROWID;

-- For people, who look at the newest first, or for one order. What else they may ask for is in the index: to look through
-- 100,000 rows for it takes seconds, through the index a tenth of one (measured).
CREATE INDEX jobs_by_age ON jobs (created_at, source, id, phase, outcome, tenant_id);
CREATE INDEX jobs_by_order ON jobs (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX jobs_in_doubt ON jobs (created_at) WHERE outcome = 'in_doubt';
