"""
The statements of the PostgreSQL ledger about followed services.
"""

from __future__ import annotations

_FOLLOWS = """
SELECT source, id, tenant_id, service_id, status, changes, is_over, changed_at, deadline_at, doc FROM follows
"""

# What is there is left alone, whoever is at it. ON CONFLICT does not do that: it waits for whoever is changing the row
# (seen with 15.18). Ordered, so that no two workers which begin with the same tenants can wait for each other.
BEGIN_ROUNDS = """
INSERT INTO rounds (tenant_id, last_at, rest_until, failures)
SELECT tenant_id, begun_at, begun_at, 0
FROM unnest($1::text[], $2::timestamptz[]) AS fresh (tenant_id, begun_at)
WHERE NOT EXISTS (SELECT FROM rounds WHERE rounds.tenant_id = fresh.tenant_id)
ORDER BY tenant_id, begun_at
ON CONFLICT DO NOTHING
"""

BEGIN = """
INSERT INTO follows (source, id, tenant_id, service_id, status, changes, is_over, changed_at, deadline_at, doc)
SELECT *
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::boolean[],
            $8::timestamptz[], $9::timestamptz[], $10::text[])
     AS fresh (source, id)
WHERE NOT EXISTS (SELECT FROM follows WHERE follows.source = fresh.source AND follows.id = fresh.id)
ORDER BY source, id
ON CONFLICT DO NOTHING
"""

# One row a tenant, and two looks into an index for each: the follows themselves are not read.
ROUNDS = """
SELECT tenant_id, last_at, rest_until, failures, newest_at, first.deadline_at
FROM rounds
CROSS JOIN LATERAL (
    SELECT changed_at AS newest_at FROM follows
    WHERE follows.tenant_id = rounds.tenant_id AND NOT is_over ORDER BY changed_at DESC LIMIT 1
) AS newest
CROSS JOIN LATERAL (
    SELECT deadline_at FROM follows
    WHERE follows.tenant_id = rounds.tenant_id AND NOT is_over ORDER BY deadline_at LIMIT 1
) AS first
WHERE owner IS NULL OR owner = $1 OR leased_until <= $2
"""

# What another worker is writing at this moment is left to it.
TAKE = """
WITH free AS (
    SELECT tenant_id FROM rounds
    WHERE tenant_id = $2 AND last_at = $3 AND (owner IS NULL OR owner = $1 OR leased_until <= $4)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE rounds SET owner = $1, leased_until = $5 FROM free WHERE rounds.tenant_id = free.tenant_id
RETURNING rounds.tenant_id
"""

RENEW = "UPDATE rounds SET leased_until = $3 WHERE tenant_id = $2 AND owner = $1 RETURNING tenant_id"

FINISH = """
UPDATE rounds SET last_at = $3, rest_until = $4, failures = $5, owner = NULL, leased_until = NULL
WHERE tenant_id = $2 AND owner = $1
RETURNING tenant_id
"""

GLIMPSES = """
SELECT service_id, status, deadline_at FROM follows
WHERE tenant_id = $1 AND service_id = ANY($2::text[]) AND NOT is_over
"""

OF_SERVICES = _FOLLOWS + "WHERE tenant_id = $1 AND service_id = ANY($2::text[]) AND NOT is_over"

NEXT_IDS = """
SELECT service_id FROM follows WHERE tenant_id = $1 AND service_id > $2 AND NOT is_over ORDER BY service_id LIMIT $3
"""

_NEXT = _FOLLOWS + "WHERE tenant_id = $1 AND service_id > $2 AND NOT is_over"

NEXT = _NEXT + " ORDER BY service_id LIMIT $3"

NEXT_DUE = _NEXT + " AND deadline_at < $4 ORDER BY service_id LIMIT $3"

NOTE = """
UPDATE follows
SET status = told.status, changes = told.changes, is_over = told.is_over, changed_at = told.changed_at,
    deadline_at = told.deadline_at, doc = told.doc
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::boolean[], $6::timestamptz[], $7::timestamptz[],
            $8::text[])
     AS told (source, id, status, changes, is_over, changed_at, deadline_at, doc)
WHERE follows.source = told.source AND follows.id = told.id AND follows.changes = told.changes - 1
"""

COUNT = "SELECT COUNT(*) AS followed FROM follows WHERE NOT is_over"
