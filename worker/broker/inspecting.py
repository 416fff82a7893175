"""
Looks at the broker as a worker would need it, and tells what is wrong with it; changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from aio_pika.abc import AbstractConnection
from yarl import URL

from messages.routes import Routes
from worker.broker.comparing import REMEDIES, Compared, Standing, compare_by_amqp, compare_by_management
from worker.broker.connection import HEARTBEAT_S, connected, shown_url
from worker.broker.probing import Flow, Permission, flow_to, may_read, may_reply, may_write
from worker.broker.queue_findings import queue_findings
from worker.broker.topology import BindingSpec, topology
from worker.broker.versions import OLDEST, Server, server_of
from worker.errors import BrokerRefused, VpnWorkerError
from worker.ports import Finding, State

if TYPE_CHECKING:
    from worker.broker.management import Management

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_HEARTBEAT_S = 60
_GRANT = "Grant it: deploy/rabbitmq/permissions.sh sets what a worker needs (docs/how-to/permissions.md)."


async def inspect_broker(
    amqp_url: str, routes: Routes, management_url: str | None = None, *, limit_s: float = 60.0
) -> tuple[Finding, ...]:
    """
    Everything that a worker with this URL needs of its broker: the login, RabbitMQ's version, our exchanges and queues,
    permissions, alarms; with the management API also bindings, policies and what becomes of the queues.

    Never raises for what it finds; a broker that cannot be reached is one finding.

    Args:
        amqp_url: as the worker's.
        routes: our names.
        management_url: of the management API, if there is one.
        limit_s: for everything together.
    """
    found: list[Finding] = []
    try:
        async with asyncio.timeout(limit_s), connected(amqp_url, "check") as connection:
            found += _connection_findings(connection, amqp_url)
            if not server_of(connection).is_too_old:
                found += [one async for one in _permission_findings(connection, routes)]
                found += await _flow_findings(amqp_url, routes)
                found += await _queue_findings(connection, amqp_url, routes, management_url)
    except TimeoutError:
        words = f"RabbitMQ at {shown_url(amqp_url)} did not answer all questions within {limit_s:g} s."
        found.append(Finding(_subject(found), State.FAULT, words, "Look at RabbitMQ's log and load."))
    except BrokerRefused as exc:
        remedy = "Correct VPN_WORKER_AMQP_URL, or the user at RabbitMQ."
        found.append(Finding(_subject(found), State.FAULT, str(exc), remedy))
    except VpnWorkerError as exc:
        remedy = "Start RabbitMQ, or correct VPN_WORKER_AMQP_URL."
        found.append(Finding(_subject(found), State.FAULT, str(exc), remedy))
    return tuple(found)


def _subject(found: list[Finding]) -> str:
    """
    Whose trouble ends the look: the first connection's, or what came after it.
    """
    return "a further connection to RabbitMQ" if found else "RabbitMQ"


def _connection_findings(connection: AbstractConnection, amqp_url: str) -> Iterator[Finding]:
    server, url = server_of(connection), URL(amqp_url)
    yield Finding("RabbitMQ", State.OK, f"{server} at {shown_url(amqp_url)} takes the login.")
    yield _version_finding(server)
    yield _tls_finding(url)
    heartbeat = url.query.get("heartbeat", str(HEARTBEAT_S))
    if not heartbeat.isdigit() or not 0 < int(heartbeat) <= _LONGEST_HEARTBEAT_S:
        yield Finding(
            "heartbeat",
            State.WARNING,
            f"The URL asks for heartbeat={heartbeat}: a dead connection is noticed late or never.",
            f"Leave it out of VPN_WORKER_AMQP_URL; it is {HEARTBEAT_S} s then.",
        )
    else:
        yield Finding("heartbeat", State.OK, f"A beat each {int(heartbeat) / 2:g} s; a dead connection is noticed.")


def _version_finding(server: Server) -> Finding:
    subject, oldest = "RabbitMQ version", ".".join(map(str, OLDEST))
    if server.is_too_old:
        words = f"{server} takes the arguments of our queues without a word, and loses messages all the same."
        return Finding(subject, State.FAULT, words, f"Use RabbitMQ {oldest} or later.")
    if server.numbers is None:
        words = f"This is {server}; the worker is tested with RabbitMQ {oldest} and later, its promises hold there."
        return Finding(subject, State.WARNING, words, f"Use RabbitMQ {oldest} or later.")
    if server.numbers < (4, 0):
        return Finding(subject, State.OK, f"{server} has all that the worker needs.")
    return Finding(
        subject,
        State.OK,
        f"{server} has all that the worker needs; it gives queues without a limit of deliveries one of 20 (ours have "
        "their own), and takes messages up to 16 MiB.",
    )


def _tls_finding(url: URL) -> Finding:
    if url.scheme == "amqps":
        if url.query.get("no_verify_ssl", "0") != "0":
            words = "TLS, but the server's certificate is not looked at: anybody could be that server."
            return Finding("encryption", State.WARNING, words, "Take no_verify_ssl out of VPN_WORKER_AMQP_URL.")
        ours = ", and we show ours" if "certfile" in url.query else ""
        return Finding("encryption", State.OK, f"TLS; the server's certificate is good{ours}.")
    if (url.host or "") in _LOCAL:
        return Finding("encryption", State.OK, "None, and none is needed on this machine.")
    words = "None: on the way to RabbitMQ the password and all requests can be read."
    return Finding(
        "encryption", State.WARNING, words, "Use amqps:// (docs/how-to/permissions.md, TLS), or a network of its own."
    )


async def _permission_findings(connection: AbstractConnection, routes: Routes) -> AsyncIterator[Finding]:
    queue = routes.requests_queue
    reading = await may_read(connection, queue)
    yield _permission_finding(f"permission to read {queue}", reading)
    for exchange in (routes.events_exchange, routes.retry_exchange, routes.dead_exchange):
        subject = f"permission to write {exchange}"
        if reading is Permission.REFUSED:
            # The question needs a name that may be read.
            yield Finding(subject, State.UNSEEN, "It can be looked at once the work queue may be read.", _GRANT)
        else:
            yield _permission_finding(subject, await may_write(connection, exchange, queue))


def _permission_finding(subject: str, permission: Permission) -> Finding:
    match permission:
        case Permission.GRANTED:
            return Finding(subject, State.OK, "Granted.")
        case Permission.REFUSED:
            return Finding(subject, State.FAULT, "Refused: the worker cannot work without it.", _GRANT)
        case Permission.UNKNOWN:
            return Finding(subject, State.UNSEEN, "RabbitMQ did not answer the question.", "Look at RabbitMQ's log.")


async def _flow_findings(amqp_url: str, routes: Routes) -> list[Finding]:
    flow = await flow_to(amqp_url, routes.retry_exchange)
    is_heard = flow in {Flow.FREE, Flow.UNKNOWN}  # else a further publish would hang as well
    replying = await may_reply(amqp_url) if is_heard else Permission.UNKNOWN
    return [_alarm_finding(flow, routes), _reply_finding(replying)]


def _alarm_finding(flow: Flow, routes: Routes) -> Finding:
    match flow:
        case Flow.FREE:
            return Finding("alarms", State.OK, "What is published is answered at once.")
        case Flow.BLOCKED:
            return Finding(
                "alarms",
                State.FAULT,
                "RabbitMQ is short of memory or disk and takes no messages: outcomes cannot be published.",
                "Look with `rabbitmq-diagnostics alarms`; free memory or disk, or raise its limits.",
            )
        case Flow.SILENT:
            words = "RabbitMQ did not answer a publish in time."
            return Finding(
                "alarms", State.FAULT, words, "Look at RabbitMQ's log, and at `rabbitmq-diagnostics status`."
            )
        case Flow.UNKNOWN:
            words = f"No message could be published to {routes.retry_exchange}, so nobody knows."
            return Finding("alarms", State.UNSEEN, words, "Mend the exchange or the permission first.")


def _reply_finding(replying: Permission) -> Finding:
    subject = "permission to reply"
    match replying:
        case Permission.REFUSED:
            words = "Not granted, which is as safe as can be: a request's reply_to gets no copy of its outcome."
            return Finding(subject, State.OK, words)
        case Permission.GRANTED:
            words = "Granted: a request's reply_to gets a copy of its outcome. It lets the user write to any queue."
            return Finding(subject, State.OK, words)
        case Permission.UNKNOWN:
            return Finding(subject, State.UNSEEN, "RabbitMQ did not answer the question.", "Mend what is told above.")


async def _queue_findings(
    connection: AbstractConnection, amqp_url: str, routes: Routes, management_url: str | None
) -> list[Finding]:
    if management_url is None:
        return _topology_findings(await compare_by_amqp(connection, routes))
    # HTTP takes long to load, and most brokers are looked at without.
    from worker.broker.management import ManagementUnusable, open_management  # noqa: PLC0415

    try:
        async with open_management(management_url, amqp_url) as management:
            compared = await compare_by_management(management, routes)
            more = await _managed_findings(management, routes)
    except ManagementUnusable as exc:
        unseen = Finding("management API", State.UNSEEN, str(exc), "Correct or unset VPN_WORKER_MANAGEMENT_URL.")
        return [*_topology_findings(await compare_by_amqp(connection, routes)), unseen]
    return [*_topology_findings(compared), *more]


def _topology_findings(compared: tuple[Compared, ...]) -> list[Finding]:
    found = [_topology_finding(one) for one in compared if not _is_bare_binding(one)]
    if any(one.standing is Standing.UNSEEN and not isinstance(one.thing, BindingSpec) for one in compared):
        words = "This user may not configure, as it should be, so arguments could not be compared over AMQP."
        found.append(Finding("arguments", State.UNSEEN, words, "Set VPN_WORKER_MANAGEMENT_URL to see them."))
    if any(one.standing is Standing.UNSEEN and isinstance(one.thing, BindingSpec) for one in compared):
        words = "AMQP does not tell them."
        found.append(Finding("bindings", State.UNSEEN, words, "Set VPN_WORKER_MANAGEMENT_URL to see them."))
    return found


def _is_bare_binding(one: Compared) -> bool:
    return isinstance(one.thing, BindingSpec) and one.standing is Standing.UNSEEN


def _topology_finding(one: Compared) -> Finding:
    match one.standing:
        case Standing.IN_ORDER:
            return Finding(str(one.thing), State.OK, "As it should be.")
        case Standing.UNSEEN if one.is_there:
            return Finding(str(one.thing), State.OK, "It is there.")
        case Standing.UNSEEN:
            return Finding(str(one.thing), State.UNSEEN, one.words)
        case Standing.MISSING:
            return Finding(str(one.thing), State.FAULT, "It is missing.", REMEDIES[one.standing])
        case Standing.EXTRA:
            words = "None of ours: somebody has bound it."
            return Finding(str(one.thing), State.WARNING, words, REMEDIES[one.standing])
        case Standing.DIFFERS:
            details = "; ".join(map(str, one.differences)) or one.words
            words = f"It has other arguments than ours: {details}."
            return Finding(str(one.thing), State.FAULT, words, REMEDIES[one.standing])


async def _managed_findings(management: Management, routes: Routes) -> list[Finding]:
    found = []
    if alarms := await management.alarms():
        words = f"On: {', '.join(alarms)}. RabbitMQ takes no messages meanwhile."
        found.append(Finding("alarms of the cluster", State.FAULT, words, "Free memory or disk, or raise the limits."))
    else:
        found.append(Finding("alarms of the cluster", State.OK, "None."))
    queues = topology(routes).queues
    told = await asyncio.gather(*(management.queue(queue.name) for queue in queues))
    found += queue_findings(
        routes, {queue.name: one for queue, one in zip(queues, told, strict=True) if one is not None}
    )
    return found
