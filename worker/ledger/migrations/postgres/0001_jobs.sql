-- One row a request. What queries need has a column of its own; the rest of the job is in `doc`.
-- Collation "C" compares bytes: quick, and the same whatever the system's locale library becomes.
CREATE TABLE jobs (
    source       text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    digest       text NOT NULL,
    router_id    text COLLATE "C" NOT NULL,
    tenant_id    text,
    order_id     text,
    phase        text NOT NULL,
    outcome      text,
    service_id   text COLLATE "C",
    attempts     integer NOT NULL,
    doc          text NOT NULL,
    owner        text,
    leased_until timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (source, id)
);

-- Who else is under way on a router; small, since jobs that are done are not in it.
CREATE INDEX jobs_undecided ON jobs (router_id) WHERE phase <> 'done';

-- A service belongs to one job at most: the last guard against counting one service twice.
CREATE UNIQUE INDEX jobs_by_service ON jobs (service_id) WHERE service_id IS NOT NULL;

-- What can be forgotten, oldest first.
CREATE INDEX jobs_to_prune ON jobs (updated_at) WHERE phase = 'done' AND outcome <> 'in_doubt';

-- Messages that were touched and may have killed who touched them; a row goes when its message was survived.
CREATE TABLE suspects (
    fingerprint text PRIMARY KEY,
    times       integer NOT NULL,
    noted_at    timestamptz NOT NULL
);
