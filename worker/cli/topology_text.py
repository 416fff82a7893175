"""
Exchanges, queues and bindings as lines, for people and for programs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from worker.broker.comparing import REMEDIES, Compared, Standing, Thing
from worker.broker.topology import Applied, BindingSpec, ExchangeSpec, Topology


def plan_lines(wanted: Topology) -> Iterator[str]:
    """
    Everything that would be declared; the arguments of a queue stand under it.
    """
    for thing in wanted.things:
        yield f"{thing} ({thing.kind}, durable)" if isinstance(thing, ExchangeSpec) else f"{thing} (durable)"
        for name, value in sorted(thing.arguments.items()):
            yield f"    {name} = {value}"
    for binding in wanted.bindings:
        yield str(binding)


def plan_rows(wanted: Topology) -> Iterator[str]:
    """
    The same as JSON lines, in the words of RabbitMQ's definitions.
    """
    for thing in (*wanted.things, *wanted.bindings):
        yield json.dumps(_row(thing))


def diff_lines(compared: tuple[Compared, ...]) -> Iterator[str]:
    """
    A line a thing.
    """
    for one in compared:
        details = "; ".join(map(str, one.differences)) or one.words
        yield f"{one.thing}: {one.standing.value}" + (f" ({details})" if details else "")


def diff_rows(compared: tuple[Compared, ...]) -> Iterator[str]:
    """
    The same as JSON lines.
    """
    for one in compared:
        differences = [asdict(difference) for difference in one.differences]
        yield json.dumps(
            {**_name(one.thing), "standing": one.standing.value, "differences": differences, "words": one.words}
        )


def applied_row(applied: Applied) -> str:
    """
    What became of a thing, as a line of JSON.
    """
    return json.dumps({**_name(applied.thing), "became": applied.became})


def advice(compared: tuple[Compared, ...]) -> Iterator[str]:
    """
    What to do about it; nothing when all is in order.
    """
    standings = {one.standing for one in compared}
    yield from (remedy for standing, remedy in REMEDIES.items() if standing in standings)
    if any(one.standing is Standing.UNSEEN and not isinstance(one.thing, BindingSpec) for one in compared):
        yield "Run it as a user who may configure these names, or set VPN_WORKER_MANAGEMENT_URL, to compare arguments."
    elif Standing.UNSEEN in standings:
        yield "Set VPN_WORKER_MANAGEMENT_URL to see bindings; `vpn-worker topology apply` makes sure of them."


def _name(thing: Thing) -> dict[str, object]:
    if isinstance(thing, BindingSpec):
        ends = {"source": thing.exchange, "destination": thing.queue, "routing_key": thing.routing_key}
        return {"kind": "binding", **ends}
    return {"kind": "exchange" if isinstance(thing, ExchangeSpec) else "queue", "name": thing.name}


def _row(thing: Thing) -> dict[str, object]:
    if isinstance(thing, BindingSpec):
        return {**_name(thing), "destination_type": "queue", "arguments": {}}
    kind = {"type": thing.kind, "internal": False} if isinstance(thing, ExchangeSpec) else {}
    return {**_name(thing), **kind, "durable": True, "auto_delete": False, "arguments": thing.arguments}
