"""
Opening connections to RabbitMQ, and the one table of what can go wrong with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aio_pika
import aiormq.exceptions
from aio_pika.abc import AbstractConnection
from yarl import URL

from worker.broker.decoding import read_anything
from worker.broker.tls import reset_remedy, tls_trouble, why_hung_up
from worker.errors import BrokerRefused, BrokerUnreachable

#: What any call to the broker may raise (broker-facts: What aio-pika does, 13).
BROKER_ERRORS = (aiormq.exceptions.AMQPError, ConnectionError, RuntimeError, TimeoutError, OSError)
#: Half-open TCP is noticed after about twice this (broker-facts: What aio-pika does, 9).
HEARTBEAT_S = 10
CALL_TIMEOUT_S = 10.0
_CANCELS = 3
_CANCEL_WAIT_S = 0.1


async def connect(amqp_url: str, role: str) -> AbstractConnection:
    """
    An open connection; the caller closes it.

    Args:
        amqp_url: amqp:// or amqps:// with user, password and virtual host; the files of TLS as aiormq reads them from its
            query (`cafile`, `certfile`, `keyfile`), anew for every connection, so that renewed ones are taken.
        role: what it is for; shown in RabbitMQ's list of connections.

    Raises:
        BrokerRefused: the login, the virtual host or a certificate is wrong.
        BrokerUnreachable: anything else.
    """
    read_anything()
    url = URL(amqp_url)
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=HEARTBEAT_S)
    shown = shown_url(amqp_url)
    try:
        with typed_errors():
            return await aio_pika.connect(
                url, timeout=CALL_TIMEOUT_S, client_properties={"connection_name": f"vpn-worker {role}"}
            )
    except aiormq.exceptions.AuthenticationError as exc:
        raise BrokerRefused(
            f"RabbitMQ at {shown} offers no login of the kind asked for ({url.query.get('auth', 'PLAIN')}); "
            "EXTERNAL needs its plugin rabbitmq_auth_mechanism_ssl and auth_mechanisms in rabbitmq.conf."
        ) from exc
    except aiormq.exceptions.ProbableAuthenticationError as exc:
        raise BrokerRefused(f"RabbitMQ at {shown} refused the login; {_login_remedy(url)}.") from exc
    except aiormq.exceptions.ConnectionClosed as exc:
        raise BrokerRefused(f"RabbitMQ at {shown} closed the connection: {exc}") from exc
    except BROKER_ERRORS as exc:
        if (trouble := tls_trouble(await why_hung_up(exc, url), url)) is not None:
            raise BrokerRefused(f"RabbitMQ at {shown} {trouble}.") from exc
        if "Connection.OpenOk" in str(exc):
            # aiormq says no more when the broker closes instead of opening the virtual host.
            raise BrokerRefused(
                f"RabbitMQ has no virtual host {url.path.removeprefix('/') or '/'!r}, or this user may not use it ({shown})."
            ) from exc
        words = str(exc) or type(exc).__name__
        raise BrokerUnreachable(
            f"RabbitMQ at {shown} does not answer ({words}); check that it runs and that VPN_WORKER_AMQP_URL names it"
            f"{reset_remedy(exc, url)}."
        ) from exc


def shown_url(amqp_url: str) -> str:
    """
    Where a connection to that URL goes, without its secrets.
    """
    url = URL(amqp_url)
    return f"{url.host}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}{url.path}"


def _login_remedy(url: URL) -> str:
    if url.query.get("auth", "").upper() == "EXTERNAL":
        return "it takes the user's name from our certificate: check that there is a user of that name"
    return "check user, password and virtual host"


def user_of(amqp_url: str) -> str | None:
    """
    As whom a connection to that URL logs in; RabbitMQ's default user when it names none.

    None: the broker alone knows, since it takes the user from our certificate (SASL EXTERNAL).
    """
    url = URL(amqp_url)
    if url.query.get("auth", "").upper() == "EXTERNAL":
        return None
    return url.user or "guest"


@asynccontextmanager
async def connected(amqp_url: str, role: str) -> AsyncIterator[AbstractConnection]:
    """
    A connection that is closed at the end.
    """
    connection = await connect(amqp_url, role)
    try:
        yield connection
    finally:
        await close_quietly(connection)


async def close_quietly(connection: AbstractConnection, timeout_s: float = CALL_TIMEOUT_S) -> None:
    """
    Closes a connection that may be dead already, and returns after `timeout_s` at the latest.

    A close towards a broker that does not read waits until what was written before is gone: without end while an alarm
    lasts. aio-pika goes on waiting when it is cancelled once, also at the end of the event loop; so it is cancelled
    until it ends.
    """
    closing = asyncio.ensure_future(connection.close())
    closing.add_done_callback(_forget)
    try:
        await asyncio.wait({closing}, timeout=timeout_s)
    finally:
        for _ in range(_CANCELS):
            if not closing.done():
                closing.cancel()
                await asyncio.wait({closing}, timeout=_CANCEL_WAIT_S)


def _forget(closing: asyncio.Future[None]) -> None:
    if not closing.cancelled():
        closing.exception()  # whatever it is: the connection is of no use any more, and asyncio would complain


@contextmanager
def typed_errors() -> Iterator[None]:
    """
    Turns what aiormq raises without a type to know it by into ConnectionError.

    A call that waits when the connection goes gets a bare CancelledError or a bare Exception, and a bare
    StopAsyncIteration in the handshake (aiormq 7.2.4; broker-facts: What aio-pika does, 3).
    """
    try:
        yield
    except asyncio.CancelledError as exc:
        if not is_broker_cancel():
            raise
        raise ConnectionError("the connection was lost during a call") from exc
    except Exception as exc:
        if type(exc) not in {Exception, StopAsyncIteration}:
            raise
        raise ConnectionError("the connection was lost during a call") from exc


def is_broker_cancel() -> bool:
    """
    Whether a caught CancelledError is the broker's doing.

    A call pending when the heartbeat kills the connection raises a bare CancelledError into the caller, and a
    TaskGroup would swallow it (broker-facts: What aio-pika does, 3). Nobody asked our task to stop then.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() == 0
