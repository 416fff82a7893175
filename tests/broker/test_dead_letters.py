"""
Dead letters at a real RabbitMQ: read without being taken, removed one by one, sent again as they first came.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pika
import pytest

from messages.envelope import Envelope, Rejection, Request, decode_request
from tests.broker.conftest import ask, channel_to, counts, publishing
from tests.e2e.conftest import eventually
from tests.e2e.proxy import AmqpProxy
from tests.e2e.shop import binary, order
from worker.broker.dead_letters import open_dead_letters
from worker.broker.messages import to_envelope
from worker.broker.publisher import BrokerPublisher
from worker.broker.resender import open_resender
from worker.errors import BrokerUnreachable
from worker.ports import Dead, Published

if TYPE_CHECKING:
    from collections.abc import Iterable

    from messages.routes import Routes
    from worker.core.letters import DeadLetter

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Properties = pika.BasicProperties


def bury(amqp_url: str, routes: Routes, *letters: Properties, body: bytes = b"{}") -> None:
    """
    Puts messages into the dead-letter queue; returns when it has them.
    """
    with channel_to(amqp_url) as channel:
        for properties in letters:
            channel.basic_publish(routes.dead_exchange, "", body, properties)


def named(count: int) -> Iterable[Properties]:
    return (
        Properties(message_id=f"m{number}", delivery_mode=2, headers={"x-vpn-reason": "failed"})
        for number in range(count)
    )


def in_order(count: int) -> list[str]:
    return [f"m{number}" for number in range(count)]


async def read_all(amqp_url: str, routes: Routes) -> list[DeadLetter]:
    async with open_dead_letters(amqp_url, routes) as letters:
        return [letter async for letter in letters.read()]


async def ids(amqp_url: str, routes: Routes) -> list[str]:
    return [letter.id for letter in await read_all(amqp_url, routes)]


def taken(amqp_url: str, queue: str) -> tuple[Properties, bytes]:
    """
    Takes one message, as another client sees it.
    """
    with channel_to(amqp_url) as channel:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        assert method is not None
        assert properties is not None
        assert body is not None
        return properties, body


async def test_reading_takes_nothing_and_keeps_the_order(amqp_url: str, routes: Routes) -> None:
    """
    More letters than the broker sends ahead: each window is a consumer of its own.
    """
    bury(amqp_url, routes, *named(700))
    first, second = await ids(amqp_url, routes), await ids(amqp_url, routes)

    assert in_order(700) == first == second
    assert (700, 0) == counts(amqp_url, routes.dead_queue)


async def test_a_reader_that_stops_early_gives_everything_back_in_order(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *named(300))
    async with open_dead_letters(amqp_url, routes) as letters:
        async for letter in letters.read():
            if letter.id == "m250":
                break

    assert in_order(300) == await ids(amqp_url, routes)


async def test_a_reader_that_is_cut_off_gives_everything_back_in_order(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *named(700))

    async def read_until_cut(proxy: AmqpProxy) -> None:
        async with open_dead_letters(proxy.amqp_url, routes) as letters:
            async for letter in letters.read():
                if letter.id == "m450":
                    proxy.cut()

    async with AmqpProxy(amqp_url) as proxy:
        with pytest.raises(BrokerUnreachable, match="lost"):
            await read_until_cut(proxy)
    await eventually(lambda: counts(amqp_url, routes.dead_queue) == (700, 0), "letters given back")

    assert in_order(700) == await ids(amqp_url, routes)


async def test_a_second_reader_sees_what_the_first_has_not_read(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *named(2))
    async with open_dead_letters(amqp_url, routes) as letters:
        first = [letter.id async for letter in letters.read()]
        bury(amqp_url, routes, Properties(message_id="late"))
        second = await ids(amqp_url, routes)

    assert (in_order(2), ["late"]) == (first, second)
    assert {*in_order(2), "late"} == set(await ids(amqp_url, routes))


async def test_what_comes_while_it_reads_is_not_read(amqp_url: str, routes: Routes) -> None:
    """
    A replayed letter that dies again must not be replayed for ever.
    """
    bury(amqp_url, routes, *named(3))
    read = []
    async with open_dead_letters(amqp_url, routes) as letters:
        async for letter in letters.read():
            bury(amqp_url, routes, Properties(message_id="late"))
            read.append(letter.id)

    assert in_order(3) == read


async def test_letters_that_somebody_else_takes_meanwhile_end_the_reading(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *named(250))
    read = []
    async with open_dead_letters(amqp_url, routes) as letters:
        async for letter in letters.read():
            if letter.id == "m0":
                with channel_to(amqp_url) as channel:
                    channel.queue_purge(routes.dead_queue)
            read.append(letter.id)

    assert in_order(200) == read


async def test_one_that_is_removed_is_gone_and_its_neighbours_stay(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *named(450))
    gone = {"m0", "m7", "m210", "m449"}
    async with open_dead_letters(amqp_url, routes) as letters:
        async for letter in letters.read():
            if letter.id in gone:
                await letters.remove(letter)

    assert [name for name in in_order(450) if name not in gone] == await ids(amqp_url, routes)


async def test_a_letter_of_the_workers_has_its_facts_and_its_request(amqp_url: str, routes: Routes) -> None:
    body = order("router-1")
    with channel_to(amqp_url) as channel:
        channel.basic_publish(routes.requests_exchange, routes.request_routing_key, body, binary("order-1"))
    dead = Dead("failed", NOW, 17, "It went on for too long.")
    headers: dict[str, object] = {f"ce-{name}": value for name, value in CE.items()}
    original = Envelope(body, headers | {"x-vpn-replays": 2}, "application/json", "their-id", None, "c-1", None)
    async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
        assert Published.ACKED is await publisher.copy_to_dead(original, dead)
    (letter,) = await read_all(amqp_url, routes)
    asked = letter.asked()

    assert ("failed", 17, "It went on for too long.", NOW, 2) == (
        letter.reason, letter.attempts, letter.last_error, letter.first_seen_at, letter.replays,
    )  # fmt: skip
    assert routes.requests_queue == letter.from_queue
    assert letter.died_at is not None
    assert abs((datetime.now(UTC) - letter.died_at).total_seconds()) < 30
    assert isinstance(asked, Request)
    assert ("order-1", "/shop", "c-1") == (asked.id, asked.source, asked.correlation_id)
    assert "their-id" == letter.envelope.message_id != letter.id
    assert headers == letter.envelope.headers


CE = {"specversion": "1.0", "id": "order-1", "source": "/shop", "type": "vpn.vpnservice.create.v1"}


async def test_a_request_that_rabbitmq_parked_is_known_by_its_own_note(amqp_url: str, routes: Routes) -> None:
    ask(amqp_url, routes, order(), properties=binary("order-1"))
    with channel_to(amqp_url) as channel:
        end = time.monotonic() + 15
        while counts(amqp_url, routes.dead_queue)[0] == 0:
            assert time.monotonic() < end
            method, _, _ = channel.basic_get(routes.requests_queue)
            if method is not None:
                channel.basic_nack(method.delivery_tag or 0)
    (letter,) = await read_all(amqp_url, routes)

    assert ("delivery_limit", routes.requests_queue) == (letter.reason, letter.from_queue)
    assert "order-1" == letter.asked().id
    assert letter.died_at is not None
    assert abs((datetime.now(UTC) - letter.died_at).total_seconds()) < 30


FOREIGN: list[Properties] = [
    Properties(),
    Properties(headers={"x-vpn-reason": 7, "x-vpn-died-at": "yesterday", "x-vpn-attempts": "many"}),
    Properties(headers={"x-death": "no list"}),
    Properties(headers={"x-death": [{"queue": "elsewhere", "reason": "expired"}, 5]}),
    Properties(message_id="\x1b[31m", headers={"x-vpn-last-error": b"\xff"}),
]


async def test_messages_of_others_are_read_as_foreign(amqp_url: str, routes: Routes) -> None:
    bury(amqp_url, routes, *FOREIGN, body=b"\xff\x00")
    letters = await read_all(amqp_url, routes)
    again = await read_all(amqp_url, routes)

    assert ["foreign"] * len(FOREIGN) == [letter.reason for letter in letters]
    assert len(FOREIGN) == len({letter.id for letter in letters})
    assert [letter.id for letter in letters] == [letter.id for letter in again]
    assert all(isinstance(letter.asked(), Rejection) for letter in letters)


async def resent(amqp_url: str, routes: Routes, original: Envelope, **how: Any) -> tuple[Properties, bytes]:
    """
    A request that died and was sent again, as another client gets it.
    """
    async with publishing(BrokerPublisher(amqp_url, routes)) as publisher:
        await publisher.copy_to_dead(original, Dead("failed", NOW, 17, "Too long."))
    async with open_dead_letters(amqp_url, routes) as letters, open_resender(amqp_url, routes) as resender:
        async for letter in letters.read():
            await resender.send_again(letter, **({"replays": 1, "is_suspect": True} | how))
            await letters.remove(letter)
    return taken(amqp_url, routes.requests_queue)


async def test_a_request_goes_back_as_it_first_came(amqp_url: str, routes: Routes) -> None:
    """
    No time of publishing: a service made before the replay would look too old to be its own.
    """
    headers: dict[str, object] = {
        "traceparent": "00-x",
        "note": 5,
        "x-vpn-first-seen": "forged",
        "x-vpn-sent-at": "forged",
    }
    original = Envelope(order("router-1"), headers, "application/json", "order-1", "/shop", "c-1", "their.replies")
    properties, body = await resent(amqp_url, routes, original)

    assert original.body == body
    assert {"traceparent": "00-x", "note": 5, "x-vpn-replays": 1, "x-vpn-redelivered": 1} == {
        name: value for name, value in (properties.headers or {}).items() if name != "x-delivery-count"
    }
    assert ("order-1", "/shop", "c-1", "their.replies", "application/json") == (
        properties.message_id, properties.app_id, properties.correlation_id, properties.reply_to,
        properties.content_type,
    )  # fmt: skip
    assert (2, None) == (properties.delivery_mode, properties.timestamp)


async def test_a_request_without_an_id_does_not_come_by_one(amqp_url: str, routes: Routes) -> None:
    """
    It was rejected for that; with the copy's own id it would suddenly create a service.
    """
    original = Envelope(order("router-1"), {}, "application/json", None, "/shop", None, None)
    properties, body = await resent(amqp_url, routes, original, is_suspect=False)
    arrived = FakeArrived(properties, body)
    decoded = decode_request(to_envelope(arrived))  # type: ignore[arg-type]

    assert 0 == (properties.headers or {})["x-vpn-redelivered"]
    assert isinstance(decoded, Rejection)
    assert ["id_missing"] == [error.code for error in decoded.errors]


class FakeArrived:
    """
    What pika took, in the shape of aio-pika.
    """

    def __init__(self, properties: Properties, body: bytes) -> None:
        self.body = body
        self.headers = properties.headers
        self.user_id = None
        for name in ("content_type", "message_id", "app_id", "correlation_id", "reply_to"):
            setattr(self, name, getattr(properties, name))


async def test_without_its_queue_there_is_a_word_what_to_do(amqp_url: str, routes: Routes) -> None:
    with channel_to(amqp_url) as channel:
        channel.queue_delete(routes.dead_queue)

    with pytest.raises(BrokerUnreachable, match="topology apply"):
        await read_all(amqp_url, routes)


async def test_a_request_without_a_queue_to_go_to_keeps_its_letter(amqp_url: str, routes: Routes) -> None:
    with channel_to(amqp_url) as channel:
        channel.queue_delete(routes.requests_queue)
    bury(amqp_url, routes, *named(1), body=json.dumps({}).encode())

    async def send_all_again() -> None:
        async with open_dead_letters(amqp_url, routes) as letters, open_resender(amqp_url, routes) as resender:
            async for letter in letters.read():
                await resender.send_again(letter, replays=1, is_suspect=False)

    with pytest.raises(BrokerUnreachable, match="topology apply"):
        await send_all_again()
    assert ["m0"] == await ids(amqp_url, routes)
