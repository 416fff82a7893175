-- Services that are followed, or were: one row a request at the most. What is told of them beside the status is in `doc`.
CREATE TABLE follows (
    source      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    tenant_id   text COLLATE "C" NOT NULL,
    service_id  text COLLATE "C" NOT NULL,
    status      text,
    changes     integer NOT NULL,
    is_over     boolean NOT NULL,
    changed_at  timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    doc         text NOT NULL,
    PRIMARY KEY (source, id)
);

-- Whose a listed service is; and all of a tenant's in order.
CREATE INDEX follows_open ON follows (tenant_id, service_id) WHERE NOT is_over;

-- When a tenant's next round is due.
CREATE INDEX follows_by_change ON follows (tenant_id, changed_at) WHERE NOT is_over;
CREATE INDEX follows_by_deadline ON follows (tenant_id, deadline_at) WHERE NOT is_over;

-- One row a tenant: who looks at its services, and when that was last done.
CREATE TABLE rounds (
    tenant_id    text COLLATE "C" PRIMARY KEY,
    last_at      timestamptz NOT NULL,
    rest_until   timestamptz NOT NULL,
    failures     integer NOT NULL,
    owner        text,
    leased_until timestamptz
);

-- For people, who look at the newest first, or for one order.
CREATE INDEX jobs_by_age ON jobs (created_at);
CREATE INDEX jobs_by_order ON jobs (order_id COLLATE "C") WHERE order_id IS NOT NULL;
CREATE INDEX jobs_in_doubt ON jobs (created_at) WHERE outcome = 'in_doubt';
