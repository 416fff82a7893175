"""
What the broker has, beside what it should have.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import aiormq.exceptions
from aio_pika.abc import AbstractConnection

from messages.routes import Routes
from worker.broker.connection import BROKER_ERRORS, CALL_TIMEOUT_S, connected, typed_errors
from worker.broker.topology import MISMATCH_REMEDY, BindingSpec, ExchangeSpec, QueueSpec, exists, topology
from worker.broker.versions import refuse_too_old, server_of

if TYPE_CHECKING:
    from worker.broker.management import Management

Thing = ExchangeSpec | QueueSpec | BindingSpec
Value = str | int | float | bool | None

#: How RabbitMQ says what differs, for people to read; what is decided is decided by its code, 406 (RabbitMQ 3.10.8).
_INEQUIVALENT = re.compile(r"inequivalent arg '([^']+)'.*: received (.+) but current is (.+)")
_TYPED = re.compile(r"(?:the value )?'(.*?)'(?: of type '\w+')?")


class Standing(Enum):
    """
    How it is with one thing.

    UNSEEN: it could not be compared. EXTRA: a binding that is none of ours.
    """

    IN_ORDER = "in order"
    MISSING = "missing"
    DIFFERS = "differs"
    EXTRA = "extra"
    UNSEEN = "not seen"


#: What to do about it, a sentence each; the most serious first.
REMEDIES = {
    Standing.DIFFERS: MISMATCH_REMEDY,
    Standing.MISSING: "Run `vpn-worker topology apply` as a user who may configure these names.",
    Standing.EXTRA: "Make sure that a binding that is none of ours is meant; else unbind it.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One argument that is not as it should be; None where it is not set.
    """

    argument: str
    ours: Value
    theirs: Value

    def __str__(self) -> str:
        return f"{self.argument} is {_shown(self.theirs)}, ours is {_shown(self.ours)}"


@dataclass(frozen=True, slots=True)
class Compared:
    """
    One exchange, queue or binding, and how it is with it.

    Attributes:
        thing: ours, or an extra binding.
        standing: how it is.
        differences: what differs; over AMQP the first alone, and none where RabbitMQ's words were not understood.
        words: more for people; empty when there is nothing more to say.
        is_there: whether it exists.
    """

    thing: Thing
    standing: Standing
    differences: tuple[Difference, ...] = ()
    words: str = ""
    is_there: bool = True


async def compare_topology(amqp_url: str, routes: Routes, management_url: str | None = None) -> tuple[Compared, ...]:
    """
    Everything of ours, compared; nothing is changed.

    Args:
        amqp_url: of any user; over AMQP, arguments are compared for one who may configure these names.
        routes: the names.
        management_url: of the management API, which tells all arguments, and the bindings.

    Raises:
        BrokerRefused, BrokerUnreachable: the broker cannot be reached.
        BrokerTooOld: it would lose messages.
        ManagementUnusable: the management API cannot.
    """
    async with connected(amqp_url, "topology") as connection:
        refuse_too_old(server_of(connection))
        if management_url is None:
            return await compare_by_amqp(connection, routes)
    # HTTP takes long to load, and most brokers are looked at without.
    from worker.broker.management import open_management  # noqa: PLC0415

    async with open_management(management_url, amqp_url) as management:
        return await compare_by_management(management, routes)


async def compare_by_amqp(connection: AbstractConnection, routes: Routes) -> tuple[Compared, ...]:
    """
    See compare_topology; over a connection that is open already.
    """
    wanted = topology(routes)
    compared = [await _over_amqp(connection, thing) for thing in wanted.things]
    missing = {str(one.thing) for one in compared if one.standing is Standing.MISSING}
    compared += [_binding_unseen(binding, missing) for binding in wanted.bindings]
    return tuple(compared)


async def _over_amqp(connection: AbstractConnection, thing: ExchangeSpec | QueueSpec) -> Compared:
    try:
        with typed_errors():
            if not await exists(connection, thing):
                return Compared(thing, Standing.MISSING, is_there=False)
            await _declare_again(connection, thing)
    except aiormq.exceptions.ChannelPreconditionFailed as exc:
        return Compared(thing, Standing.DIFFERS, _differences(str(exc)), str(exc))
    except aiormq.exceptions.ChannelLockedResource:
        return Compared(thing, Standing.DIFFERS, words="it belongs to another connection alone (exclusive)")
    except aiormq.exceptions.ChannelAccessRefused:
        return Compared(
            thing, Standing.UNSEEN, words="it is there; this user may not declare it, so nothing was compared"
        )
    except BROKER_ERRORS as exc:
        return Compared(thing, Standing.UNSEEN, words=f"it could not be asked for: {str(exc) or type(exc).__name__}")
    return Compared(thing, Standing.IN_ORDER)


async def _declare_again(connection: AbstractConnection, thing: ExchangeSpec | QueueSpec) -> None:
    """
    A declaration of what is there changes nothing, and is refused when an argument differs.
    """
    async with asyncio.timeout(CALL_TIMEOUT_S):
        channel = await connection.channel(publisher_confirms=False)
        if isinstance(thing, ExchangeSpec):
            await channel.declare_exchange(thing.name, thing.kind, durable=True, arguments=dict(thing.arguments))
        else:
            await channel.declare_queue(thing.name, durable=True, arguments=dict(thing.arguments))
        await channel.close()


def _binding_unseen(binding: BindingSpec, missing: set[str]) -> Compared:
    if {f"exchange {binding.exchange}", f"queue {binding.queue}"} & missing:
        return Compared(binding, Standing.MISSING, is_there=False)
    return Compared(binding, Standing.UNSEEN, words="AMQP does not tell bindings; the management API does")


def _differences(said: str) -> tuple[Difference, ...]:
    found = _INEQUIVALENT.search(said)
    return (Difference(found[1], _value(found[2]), _value(found[3])),) if found else ()


def _value(said: str) -> Value:
    if said == "none":
        return None
    typed = _TYPED.fullmatch(said)
    return typed[1] if typed else said


async def compare_by_management(management: Management, routes: Routes) -> tuple[Compared, ...]:
    """
    See compare_topology; by what the management API tells.
    """
    wanted = topology(routes)
    exchanges = await asyncio.gather(*(management.exchange(one.name) for one in wanted.exchanges))
    queues = await asyncio.gather(*(management.queue(one.name) for one in wanted.queues))
    compared = [_exchange(one, found) for one, found in zip(wanted.exchanges, exchanges, strict=True)]
    compared += [_queue(one, found) for one, found in zip(wanted.queues, queues, strict=True)]
    there = [one.thing for one in compared if one.is_there]
    return *compared, *_bindings(wanted.bindings, await _told_bindings(management, routes, there))


def _exchange(wanted: ExchangeSpec, found: Mapping[str, Any] | None) -> Compared:
    ours: dict[str, Value] = {"type": wanted.kind, "durable": True, "auto_delete": False, "internal": False}
    return _compared(wanted, ours, found)


def _queue(wanted: QueueSpec, found: Mapping[str, Any] | None) -> Compared:
    return _compared(wanted, {"durable": True, "auto_delete": False, "exclusive": False}, found)


def _compared(wanted: ExchangeSpec | QueueSpec, fields: dict[str, Value], found: Mapping[str, Any] | None) -> Compared:
    if found is None:
        return Compared(wanted, Standing.MISSING, is_there=False)
    told = found.get("arguments")
    theirs: dict[str, Any] = {name: found.get(name, ours) for name, ours in fields.items()}
    theirs |= told if isinstance(told, dict) else {}
    ours: dict[str, Value] = {**fields, **wanted.arguments}
    differences = tuple(
        Difference(name, ours.get(name), theirs.get(name))
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    )
    return Compared(wanted, Standing.DIFFERS if differences else Standing.IN_ORDER, differences)


async def _told_bindings(management: Management, routes: Routes, there: Iterable[Thing]) -> set[BindingSpec]:
    """
    Every binding from one of our exchanges or to one of our queues. Those of the events are their readers' own.
    """
    asked = [
        management.bindings_of(thing.name) if isinstance(thing, QueueSpec) else management.bindings_from(thing.name)
        for thing in there
        if isinstance(thing, QueueSpec | ExchangeSpec) and thing.name != routes.events_exchange
    ]
    return {
        # The default exchange is bound to every queue.
        BindingSpec(str(row["source"]), str(row["destination"]), str(row.get("routing_key", "")))
        for rows in await asyncio.gather(*asked)
        for row in rows
        if row.get("source")
    }


def _bindings(wanted: tuple[BindingSpec, ...], told: set[BindingSpec]) -> list[Compared]:
    ours = [
        Compared(one, Standing.IN_ORDER) if one in told else Compared(one, Standing.MISSING, is_there=False)
        for one in wanted
    ]
    return ours + [Compared(one, Standing.EXTRA) for one in sorted(told - set(wanted), key=str)]


def _shown(value: Value) -> str:
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
