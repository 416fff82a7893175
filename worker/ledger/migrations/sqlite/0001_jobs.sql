-- One row a request. What queries need has a column of its own; the rest of the job is in `doc`.
CREATE TABLE jobs (
    source       TEXT NOT NULL,
    id           TEXT NOT NULL,
    digest       TEXT NOT NULL,
    router_id    TEXT NOT NULL,
    tenant_id    TEXT,
    order_id     TEXT,
    phase        TEXT NOT NULL,
    outcome      TEXT,
    service_id   TEXT,
    attempts     INTEGER NOT NULL,
    doc          TEXT NOT NULL,
    owner        TEXT,
    leased_until REAL,
    created_at   REAL NOT NULL,
    updated_at   REAL NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;

-- Who else is under way on a router; small, since jobs that are done are not in it.
CREATE INDEX jobs_undecided ON jobs (router_id) WHERE phase <> 'done';

-- A service belongs to one job at most: the last guard against counting one service twice.
CREATE UNIQUE INDEX jobs_by_service ON jobs (service_id) WHERE service_id IS NOT NULL;
