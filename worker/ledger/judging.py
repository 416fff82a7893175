"""
What is found in a ledger of either kind, judged alike.
"""

from __future__ import annotations

from worker.ports import Finding, State

_SCHEMA = "ledger schema"


def schema_finding(version: int, ours: int) -> Finding:
    """
    Whether this version of the worker can use a ledger whose schema has that version; 0: it is empty.
    """
    if version > ours:
        return Finding(
            _SCHEMA,
            State.FAULT,
            f"Version {version}, made by a newer vpn-worker; this one knows {ours}.",
            "Upgrade vpn-worker here, or name another ledger in VPN_WORKER_LEDGER_URL.",
        )
    if version == 0:
        return Finding(_SCHEMA, State.OK, f"Empty; the first worker makes version {ours}.")
    if version < ours:
        return Finding(
            _SCHEMA,
            State.WARNING,
            f"Version {version}; the next worker that starts brings it to {ours}.",
            "Upgrade all workers of this ledger: older ones refuse it from then on.",
        )
    return Finding(_SCHEMA, State.OK, f"Version {version}, as this vpn-worker wants it.")


def foreign_finding(what: str) -> Finding:
    """
    It is the database of something else.
    """
    return Finding(
        _SCHEMA, State.FAULT, f"{what}, and no ledger of ours.", "Name another place in VPN_WORKER_LEDGER_URL."
    )


def in_doubt_finding(jobs: int) -> Finding:
    """
    How many requests wait for a person.
    """
    if jobs == 0:
        return Finding("requests in doubt", State.OK, "None.")
    return Finding(
        "requests in doubt",
        State.WARNING,
        f"{jobs}: whether their service exists is not known.",
        "See them with `vpn-worker requests list --state in_doubt`, then say what you found with `vpn-worker resolve`.",
    )
