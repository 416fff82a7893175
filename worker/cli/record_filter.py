"""
Flags that say which requests of the ledger somebody wants to see.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import typer

from worker.cli.flag_values import check_not_empty, moment
from worker.core.records import OPEN_STATES, STATES, RecordFilter

#: Stands for every state of a request without an outcome.
_OPEN = "open"


def record_filter(
    states: Iterable[str], since: str | None, until: str | None, *, is_followed: bool, **exact: str | None
) -> RecordFilter:
    """
    The filter from flags.

    Args:
        states: of STATES, or `open`.
        since, until: as typed.
        is_followed: those alone whose service is followed now.
        exact: tenant, order, source and service, by their flags' names.

    Raises:
        typer.BadParameter: a state is unknown, a time cannot be read, or a text is empty, which would mean every request.
    """
    check_not_empty(exact)
    now = datetime.now(UTC)
    return RecordFilter(
        states=_states(states),
        tenant_id=exact.get("tenant"),
        order_id=exact.get("order"),
        source=exact.get("source"),
        service_id=exact.get("service"),
        since=moment(since, now, "--since"),
        until=moment(until, now, "--until"),
        is_followed=is_followed,
    )


def _states(named: Iterable[str]) -> frozenset[str]:
    states: set[str] = set()
    for name in named:
        if name not in {*STATES, _OPEN}:
            raise typer.BadParameter(f"must be one of {', '.join((*STATES, _OPEN))}", param_hint="--state")
        states |= set(OPEN_STATES) if name == _OPEN else {name}
    return frozenset(states)
