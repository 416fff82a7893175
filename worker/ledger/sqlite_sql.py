"""
Every statement of the SQLite ledger. Moments are seconds since 1970, UTC.
"""

from __future__ import annotations

INSERT = """
INSERT INTO jobs (source, id, digest, router_id, tenant_id, order_id, phase, outcome, service_id, attempts, doc,
                  owner, leased_until, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

SELECT = "SELECT digest, router_id, phase, doc, owner, leased_until FROM jobs WHERE source = ? AND id = ?"

RIVAL = """
SELECT 1 FROM jobs
WHERE router_id = ? AND phase <> 'done' AND NOT (source = ? AND id = ?)
      AND ((phase IN ('sent', 'looking') AND updated_at > ?) OR leased_until > ?)
LIMIT 1
"""

LEASE = "UPDATE jobs SET owner = ?, leased_until = ? WHERE source = ? AND id = ?"

UPDATE = """
UPDATE jobs SET phase = ?, outcome = ?, service_id = ?, attempts = ?, doc = ?, updated_at = ?, owner = ?,
                leased_until = ?
WHERE source = ? AND id = ?
"""

OWNER = "SELECT source, id FROM jobs WHERE service_id = ?"

COUNTS = "SELECT COALESCE(outcome, phase), COUNT(*) FROM jobs GROUP BY 1"

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
WHERE jobs.id = ? ORDER BY jobs.source
"""

# What is still followed will be told of, and stays.
PRUNABLE = """
SELECT source, id FROM jobs
WHERE phase = 'done' AND outcome <> 'in_doubt' AND updated_at < ?
      AND NOT EXISTS (
          SELECT 1 FROM follows WHERE follows.source = jobs.source AND follows.id = jobs.id AND is_over = 0
      )
ORDER BY updated_at LIMIT ?
"""

PRUNE = "DELETE FROM jobs WHERE source = ? AND id = ?"

PRUNE_FOLLOW = "DELETE FROM follows WHERE source = ? AND id = ?"

PRUNE_SUSPECTS = "DELETE FROM suspects WHERE noted_at < ?"

MARK_SUSPECT = """
INSERT INTO suspects (fingerprint, times, noted_at) VALUES (?, 1, ?)
ON CONFLICT (fingerprint) DO UPDATE SET times = times + 1, noted_at = excluded.noted_at
"""

SUSPECTED = "SELECT times FROM suspects WHERE fingerprint = ?"

CLEAR_SUSPECT = "DELETE FROM suspects WHERE fingerprint = ?"
