"""
The statements of the SQLite ledger about followed services. Moments are seconds since 1970, UTC.
"""

from __future__ import annotations

_FOLLOWS = """
SELECT source, id, tenant_id, service_id, status, changes, is_over, changed_at, deadline_at, doc FROM follows
"""

BEGIN_ROUND = """
INSERT INTO rounds (tenant_id, last_at, rest_until, failures) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING
"""

BEGIN = """
INSERT INTO follows (source, id, tenant_id, service_id, status, changes, is_over, changed_at, deadline_at, doc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

# One row a tenant, and two looks into an index for each: the follows themselves are not read.
ROUNDS = """
SELECT tenant_id, last_at, rest_until, failures, newest_at, deadline_at
FROM (
    SELECT tenant_id, last_at, rest_until, failures,
           (SELECT changed_at FROM follows WHERE follows.tenant_id = rounds.tenant_id AND is_over = 0
            ORDER BY changed_at DESC LIMIT 1) AS newest_at,
           (SELECT deadline_at FROM follows WHERE follows.tenant_id = rounds.tenant_id AND is_over = 0
            ORDER BY deadline_at LIMIT 1) AS deadline_at
    FROM rounds WHERE owner IS NULL OR owner = ? OR leased_until <= ?
)
WHERE newest_at IS NOT NULL
"""

TAKE = """
UPDATE rounds SET owner = ?, leased_until = ?
WHERE tenant_id = ? AND last_at = ? AND (owner IS NULL OR owner = ? OR leased_until <= ?)
"""

RENEW = "UPDATE rounds SET leased_until = ? WHERE tenant_id = ? AND owner = ?"

FINISH = """
UPDATE rounds SET last_at = ?, rest_until = ?, failures = ?, owner = NULL, leased_until = NULL
WHERE tenant_id = ? AND owner = ?
"""


def glimpses(count: int) -> str:
    """
    The statement for so many services of one tenant.
    """
    marks = ", ".join("?" * count)
    return f"""
SELECT service_id, status, deadline_at FROM follows WHERE tenant_id = ? AND service_id IN ({marks}) AND is_over = 0
"""  # noqa: S608 - marks alone


OF_SERVICE = _FOLLOWS + "WHERE tenant_id = ? AND service_id = ? AND is_over = 0"

NEXT_IDS = """
SELECT service_id FROM follows WHERE tenant_id = ? AND service_id > ? AND is_over = 0 ORDER BY service_id LIMIT ?
"""

_NEXT = _FOLLOWS + "WHERE tenant_id = ? AND service_id > ? AND is_over = 0"

NEXT = _NEXT + " ORDER BY service_id LIMIT ?"

# The plus keeps SQLite from the deadlines' index: it would read, and sort, all that are late for every batch.
NEXT_DUE = _NEXT + " AND +deadline_at < ? ORDER BY service_id LIMIT ?"

NOTE = """
UPDATE follows SET status = ?, changes = ?, is_over = ?, changed_at = ?, deadline_at = ?, doc = ?
WHERE source = ? AND id = ? AND changes = ?
"""

COUNT = "SELECT COUNT(*) FROM follows WHERE is_over = 0"
