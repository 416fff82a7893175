"""
A worker and the commands over amqps: an authority of our own, a client certificate, and every way in which they are wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from messages.routes import Routes
from tests.cli.conftest import Cli, cli, folder
from tests.e2e.shop import binary, open_shop, order
from tests.e2e.test_start import failed_start
from worker.broker.inspecting import inspect_broker
from worker.ports import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.authority import Authority
    from tests.e2e.conftest import StartWorker
    from tests.full_broker import FullBroker
    from worker.simulator import Simulator

__all__ = ["cli", "failed_start", "folder"]  # fixtures of others, wanted here too


@pytest.fixture
def amqp_url(full_node: FullBroker) -> str:
    """
    The node that asks for certificates; without TLS, for those who look at what the worker did.
    """
    return full_node.amqp_url


def files(authority: Authority, ours: str | None = "other", ca: str | None = "ca") -> dict[str, Any]:
    """
    The settings of TLS with certificates by their names; None leaves one out.
    """
    given: dict[str, Any] = {} if ca is None else {"amqp_ca_file": authority.file(ca)}
    if ours is not None:
        given |= {"amqp_cert_file": authority.file(ours), "amqp_key_file": authority.key(ours)}
    return given


@pytest.mark.usefixtures("topology")
async def test_every_connection_of_a_worker_shows_its_certificate(
    full_node: FullBroker, prefix: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    It declares, consumes, publishes and replies: the node has no other port that these settings lead to.
    """
    given = files(full_node.authority)
    worker = await start_worker(cloud.url, amqp_url=full_node.amqps_url(), **given)
    async with open_shop(full_node.amqp_url, prefix) as shop:
        await shop.declare(f"reply-{prefix}")
        asking = binary()
        asking.reply_to = f"reply-{prefix}"
        await shop.publish((order(), asking), (b"{}", binary()))
        await shop.outcomes(2)
        await shop.taken(f"reply-{prefix}", 1)
        await shop.dead(1)
        protocols = (await full_node.ctl("list_connections", "ssl", "client_properties")).splitlines()

    assert 3 == len([line for line in protocols if line.startswith("true") and "vpn-worker" in line])
    assert [] == worker.mistakes()


async def test_commands_use_the_same_settings(full_node: FullBroker, prefix: str, cli: Cli) -> None:
    given = {"amqp_url": full_node.amqps_url(), "prefix": prefix} | files(full_node.authority)
    applied = await cli("topology", "apply", **given)
    compared = await cli("topology", "diff", **given)
    listed = await cli("dead", "list", **given)
    without = await cli("dead", "list", **{**given, "amqp_ca_file": None})

    assert [0, 0, 0, 3] == [said.status for said in (applied, compared, listed, without)]
    assert "VPN_WORKER_AMQP_CA_FILE" in without.err


@pytest.mark.usefixtures("topology")
async def test_the_certificate_alone_is_a_login(
    full_node: FullBroker, prefix: str, cloud: Simulator, start_worker: StartWorker
) -> None:
    """
    SASL EXTERNAL: RabbitMQ takes the user's name from the certificate.
    """
    name = f"worker-{prefix}"
    full_node.authority.sign(name, "127.0.0.1", "-days", "2")
    await full_node.ctl("add_user", name, "")
    await full_node.ctl(
        "set_permissions", name, "^$", rf"^{prefix}\.(events|retry|dead)$", rf"^{prefix}\.requests\.create$"
    )
    url = f"{full_node.amqps_url(user='')}?auth=EXTERNAL"
    await start_worker(cloud.url, amqp_url=url, **files(full_node.authority, name))
    async with open_shop(full_node.amqp_url, prefix) as shop:
        await shop.publish((order(), binary()))
        await shop.created(1)


async def test_a_certificate_of_nobody_at_rabbitmq_is_no_login(
    full_node: FullBroker, failed_start: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    url = f"{full_node.amqps_url(user='')}?auth=EXTERNAL"
    status, words = await failed_start(amqp_url=url, **files(full_node.authority))

    assert 3 == status
    assert "refused the login; it takes the user's name from our certificate" in words


@pytest.mark.parametrize(
    ("given", "host", "said"),
    [
        ({"ours": None}, "127.0.0.1", "VPN_WORKER_AMQP_CERT_FILE"),
        ({"ours": "expired"}, "127.0.0.1", "our client certificate has expired; renew VPN_WORKER_AMQP_CERT_FILE"),
        ({"ours": "stranger"}, "127.0.0.1", "refuses our client certificate"),
        ({"ca": None}, "127.0.0.1", "signed by an authority unknown here; if it is the right server, set"),
        ({"ca": "stranger"}, "127.0.0.1", "signed by an authority unknown here"),
        ({}, "localhost", "is of another host; check the host name in VPN_WORKER_AMQP_URL"),
    ],
    ids=["no certificate", "expired", "stranger's", "no authority", "another authority", "another host"],
)
async def test_a_certificate_that_is_not_good_ends_the_start_with_the_remedy(
    full_node: FullBroker,
    failed_start: Callable[..., Awaitable[tuple[int, str]]],
    given: dict[str, Any],
    host: str,
    said: str,
) -> None:
    status, words = await failed_start(
        amqp_url=full_node.amqps_url("guest:s3cret@", host), **files(full_node.authority, **given)
    )

    assert 3 == status
    assert said in words
    assert 1 == len(words.splitlines())
    assert "s3cret" not in words


@pytest.mark.parametrize(("scheme", "said"), [("amqps", "does not speak TLS; check the port"), ("amqp", "write amqps")])
async def test_the_wrong_port_is_told(
    full_node: FullBroker, failed_start: Callable[..., Awaitable[tuple[int, str]]], scheme: str, said: str
) -> None:
    port = full_node.port if scheme == "amqps" else full_node.tls_port
    status, words = await failed_start(amqp_url=f"{scheme}://guest:guest@127.0.0.1:{port}/")

    assert 3 == status
    assert said in words
    assert 1 == len(words.splitlines())


@pytest.mark.parametrize(
    ("server", "said"),
    [("expired", "has expired; its owner must renew it"), ("other", "is of another host")],
)
async def test_a_server_with_a_bad_certificate_is_not_talked_to(
    full_node: FullBroker, failed_start: Callable[..., Awaitable[tuple[int, str]]], server: str, said: str
) -> None:
    async with listening(full_node.authority.server(server)) as (port, heard):
        status, words = await failed_start(
            amqp_url=f"amqps://guest:s3cret@127.0.0.1:{port}/", **files(full_node.authority)
        )

    assert 3 == status
    assert said in words
    assert [] == heard


@contextlib.asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[tuple[int, list[bytes]]]:
    """
    A server with that TLS: its port, and what it was told.
    """
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.usefixtures("topology")
async def test_an_inspection_tells_of_tls(full_node: FullBroker, prefix: str) -> None:
    authority = full_node.authority
    ours = f"certfile={authority.file('other')}&keyfile={authority.key('other')}"
    url = f"{full_node.amqps_url()}?{ours}"
    good = await inspect_broker(f"{url}&cafile={authority.certificate}", Routes(prefix), full_node.management_url)
    blind = await inspect_broker(f"{url}&no_verify_ssl=1", Routes(prefix))
    bare = await inspect_broker(full_node.amqps_url(), Routes(prefix))

    assert [] == [one for one in good if one.state is not State.OK]
    [encryption] = [one for one in good if one.subject == "encryption"]
    assert "TLS; the server's certificate is good, and we show ours." == encryption.words
    assert [State.WARNING] == [one.state for one in blind if one.subject == "encryption"]
    assert ["RabbitMQ"] == [one.subject for one in bare]
    assert "VPN_WORKER_AMQP_CA_FILE" in bare[0].words
