"""
Every statement of the PostgreSQL ledger, and how texts stand in it. Each serves a whole group through `unnest`.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def to_text(text: str) -> str:
    """
    A text as a column can hold it: PostgreSQL has no NUL, and what the cloud calls an id may have one.

    Raises:
        ValueError: no UTF-8 (half a surrogate pair).
    """
    text.encode()
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def from_text(kept: str) -> str:
    """
    The exact inverse of `to_text`.
    """
    return _ESCAPED.sub(lambda found: "\0" if found[1] == "0" else found[1], kept)


# Claims, in this order within a transaction.

KNOWN = """
SELECT source, id, digest, router_id, phase, doc, owner, leased_until
FROM unnest($1::text[], $2::text[]) AS wanted (source, id) JOIN jobs USING (source, id)
"""

# What another worker is writing at this moment is left to it.
KNOWN_AND_LOCKED = KNOWN + "FOR NO KEY UPDATE OF jobs SKIP LOCKED"

# Uncommitted rivals cannot be seen, so who may add one to a router holds its lock until the commit.
LOCK_ROUTERS = "SELECT key FROM unnest($1::bigint[]) AS wanted (key) WHERE pg_try_advisory_xact_lock(key)"

# LIMIT keeps it to one look into the index a router: while it has no statistics, the planner would read all jobs.
RIVALS = """
SELECT claim.source, claim.id
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
     AS claim (source, id, router_id, forgotten_at, now)
CROSS JOIN LATERAL (
    SELECT FROM jobs
    WHERE jobs.router_id = claim.router_id AND jobs.phase <> 'done'
          AND NOT (jobs.source = claim.source AND jobs.id = claim.id)
          AND ((jobs.phase IN ('sent', 'looking') AND jobs.updated_at > claim.forgotten_at)
               OR jobs.leased_until > claim.now)
    LIMIT 1
) AS rival
"""

INSERT = """
INSERT INTO jobs (source, id, digest, router_id, tenant_id, order_id, phase, outcome, service_id, attempts, doc,
                  owner, leased_until, created_at, updated_at)
SELECT source, id, digest, router_id, tenant_id, order_id, phase, outcome, service_id, attempts, doc,
       $1, leased_until, now, now
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::integer[], $12::text[], $13::timestamptz[], $14::timestamptz[])
     AS fresh (source, id, digest, router_id, tenant_id, order_id, phase, outcome, service_id, attempts, doc,
               leased_until, now)
ON CONFLICT DO NOTHING
RETURNING source, id
"""

LEASE = """
UPDATE jobs SET owner = $1, leased_until = taken.leased_until
FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS taken (source, id, leased_until)
WHERE jobs.source = taken.source AND jobs.id = taken.id
"""

# Saves.

_SET = """
SET phase = saved.phase, outcome = saved.outcome, service_id = saved.service_id, attempts = saved.attempts,
    doc = saved.doc, updated_at = saved.now, leased_until = saved.leased_until,
    owner = CASE WHEN saved.leased_until IS NULL THEN NULL ELSE $1 END
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[],
            $9::timestamptz[], $10::timestamptz[])
     AS saved (source, id, phase, outcome, service_id, attempts, doc, now, leased_until)
WHERE jobs.source = saved.source AND jobs.id = saved.id
      AND (saved.service_id IS NULL OR NOT EXISTS (
          SELECT FROM jobs AS other
          WHERE other.service_id = saved.service_id AND NOT (other.source = saved.source AND other.id = saved.id)
      ))
"""

SAVE = f"UPDATE jobs {_SET} AND jobs.owner = $1 RETURNING jobs.source, jobs.id"

AMEND = f"UPDATE jobs {_SET} RETURNING jobs.source, jobs.id"

LOCKED = KNOWN + "FOR NO KEY UPDATE OF jobs"

OWNERS = "SELECT service_id, source, id FROM jobs WHERE service_id = ANY($1::text[])"

# Suspects.

MARK_SUSPECT = """
INSERT INTO suspects (fingerprint, times, noted_at) VALUES ($1, 1, $2)
ON CONFLICT (fingerprint) DO UPDATE SET times = suspects.times + 1, noted_at = excluded.noted_at
RETURNING times
"""

CLEAR_SUSPECTS = "DELETE FROM suspects WHERE fingerprint = ANY($1::text[])"

PRUNE_SUSPECTS = "DELETE FROM suspects WHERE noted_at < $1"

# For people and for the janitor.

COUNTS = "SELECT COALESCE(outcome, phase) AS state, COUNT(*) AS jobs FROM jobs GROUP BY 1"

FIND_ONE = "SELECT source, digest, router_id, phase, doc FROM jobs WHERE source = $1 AND id = $2"

# From one source to the next by the primary key: there are few, and no index on `id` alone has to be kept.
FIND = """
WITH RECURSIVE sources (source) AS (
    SELECT MIN(source) FROM jobs
    UNION ALL
    SELECT (SELECT MIN(jobs.source) FROM jobs WHERE jobs.source > sources.source)
    FROM sources WHERE sources.source IS NOT NULL
)
SELECT jobs.source, digest, router_id, phase, doc
FROM sources JOIN jobs ON jobs.source = sources.source
WHERE jobs.id = $1 ORDER BY jobs.source
"""

# What is still followed will be told of, and stays.
PRUNE = """
WITH old AS (
    SELECT source, id FROM jobs
    WHERE phase = 'done' AND outcome <> 'in_doubt' AND updated_at < $1
          AND NOT EXISTS (
              SELECT FROM follows WHERE follows.source = jobs.source AND follows.id = jobs.id AND NOT is_over
          )
    ORDER BY updated_at LIMIT $2
    FOR UPDATE SKIP LOCKED
), followed AS (
    DELETE FROM follows USING old WHERE follows.source = old.source AND follows.id = old.id
)
DELETE FROM jobs USING old WHERE jobs.source = old.source AND jobs.id = old.id
"""
