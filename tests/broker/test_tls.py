"""
The files of TLS at a real RabbitMQ, connection by connection.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from messages.routes import Routes
from worker.broker.connection import connected
from worker.broker.management import ManagementUnusable, open_management
from worker.broker.versions import server_of
from worker.errors import BrokerRefused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.full_broker import FullBroker


async def test_a_renewed_certificate_is_taken_with_the_next_connection(full_node: FullBroker, tmp_path: Path) -> None:
    """
    Certificates live shorter than workers do.
    """
    authority, cert, key = full_node.authority, tmp_path / "ours.pem", tmp_path / "ours.key"
    url = f"{full_node.amqps_url()}?cafile={authority.certificate}&certfile={cert}&keyfile={key}"

    with pytest.raises(BrokerRefused, match=f"the file {cert} cannot be read"):
        async with connected(url, "test"):
            pass
    for name, is_good in (("expired", False), ("other", True)):
        shutil.copy(authority.file(name), cert)
        shutil.copy(authority.key(name), key)
        if is_good:
            async with connected(url, "test") as connection:
                assert "RabbitMQ" == server_of(connection).product
        else:
            with pytest.raises(BrokerRefused, match="our client certificate has expired"):
                async with connected(url, "test"):
                    pass


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (None, "asks for a client certificate; set VPN_WORKER_AMQP_CERT_FILE"),
        ("expired", "our client certificate has expired"),
        ("stranger", "refuses our client certificate"),
    ],
    ids=str,
)
async def test_the_reason_is_known_each_time_also_where_hanging_up_overtakes_it(
    full_node: FullBroker, ours: str | None, words: str
) -> None:
    """
    In one of ten cases or so, the connection is reset before the server's alert was read.
    """
    authority = full_node.authority
    url = f"{full_node.amqps_url()}?cafile={authority.certificate}"
    if ours is not None:
        url += f"&certfile={authority.file(ours)}&keyfile={authority.key(ours)}"
    for _ in range(30):
        with pytest.raises(BrokerRefused, match=words):
            async with connected(url, "test"):
                pass


async def test_an_https_management_api_is_trusted_by_the_same_authority(full_node: FullBroker) -> None:
    https = f"https://guest:guest@127.0.0.1:{full_node.https_port}"
    ca = full_node.authority.certificate
    async with open_management(https, f"{full_node.amqps_url()}?cafile={ca}") as management:
        assert await management.queue(Routes("none").dead_queue) is None
    async with open_management(https, full_node.amqps_url()) as management:
        with pytest.raises(ManagementUnusable, match="certificate"):
            await management.queue("none")
