"""
Which brokers are good enough.
"""

from __future__ import annotations

import pytest

from worker.broker.connection import connected
from worker.broker.versions import Server, refuse_too_old, server_of
from worker.errors import BrokerTooOld


@pytest.mark.parametrize("version", ["3.9.29", "3.8.0", "2.8.7", "3.9.0-rc.1"])
def test_a_rabbitmq_that_would_lose_messages_is_refused(version: str) -> None:
    with pytest.raises(BrokerTooOld, match=rf"RabbitMQ {version} is too old: .* Use RabbitMQ 3\.10 or later\."):
        refuse_too_old(Server("RabbitMQ", version))


@pytest.mark.parametrize("version", ["3.10.0", "3.13.7", "4.0.5", "4.2.0", "10.0.0", "", "next"])
def test_others_are_taken_also_those_nobody_knows_yet(version: str) -> None:
    refuse_too_old(Server("RabbitMQ", version))


def test_the_numbers_of_another_product_say_nothing() -> None:
    refuse_too_old(Server("LavinMQ", "2.1.0"))


async def test_a_broker_says_what_it_is(amqp_url: str) -> None:
    async with connected(amqp_url, "test") as connection:
        server = server_of(connection)

    assert "RabbitMQ" == server.product
    assert server.numbers is not None
    assert server.numbers >= (3, 10)
