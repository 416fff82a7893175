"""
Messages that are no valid request, through the whole worker: each is told once, kept once, acked, and harms nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.bad_messages import BAD_BODIES, BAD_ENVELOPES, Bad
from tests.e2e.conftest import eventually
from tests.e2e.shop import Message, Shop, binary, order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.e2e.conftest import StartWorker
    from worker.simulator import Simulator


def errors_of(event: Message) -> set[tuple[str, str]]:
    """
    Path and code of every error an event tells.
    """
    return {(fault["path"], fault["code"]) for fault in event.data["error"]["fields"]}


async def check_all_rejected(shop: Shop, cases: list[Bad]) -> None:
    """
    Publishes the cases and a good request, and checks that each has its one event and its one dead letter.
    """
    await shop.publish(*(case.message() for case in cases), (order(), binary("good")))
    told = await shop.outcomes(len(cases) + 1)
    by_case = {event.properties.correlation_id: event for event in told}
    dead = {letter.properties.correlation_id: letter for letter in await shop.dead(len(cases))}

    assert len(by_case) == len(cases) + 1
    assert set(dead) == {case.case for case in cases}
    for case in cases:
        event, letter = by_case[case.case], dead[case.case]
        assert "vpn.vpnservice.create-rejected.v1" == event.type
        assert (case.case, case.errors) == (case.case, errors_of(event))
        assert all(fault["message"] for fault in event.data["error"]["fields"])
        assert (case.case, "rejected") == (case.case, letter.headers["x-vpn-reason"])
        assert case.body == letter.body
    assert "vpn.vpnservice.created.v1" == by_case["good"].type


async def check_nothing_is_left(shop: Shop, cloud: Simulator, unacked: Callable[[], Awaitable[int]]) -> None:
    """
    The work queue is empty, nothing is unacked, and the cloud was asked for the good request alone.
    """

    async def all_acked() -> bool:
        return await unacked() == 0

    await eventually(all_acked, "ack of every delivery")
    assert 0 == await shop.ready(f"{shop.prefix}.requests.create")
    assert {"create": 1} == {call: count for call, count in cloud.state.calls.items() if count}


async def test_bad_bodies_are_rejected_with_every_error_and_the_worker_goes_on(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, unacked: Callable[[], Awaitable[int]]
) -> None:
    worker = await start_worker(cloud.url)
    await check_all_rejected(shop, BAD_BODIES)
    await check_nothing_is_left(shop, cloud, unacked)

    assert [] == worker.mistakes()


async def test_bad_attributes_and_properties_are_rejected_with_every_error(
    shop: Shop, cloud: Simulator, start_worker: StartWorker, unacked: Callable[[], Awaitable[int]]
) -> None:
    worker = await start_worker(cloud.url)
    await check_all_rejected(shop, BAD_ENVELOPES)
    await check_nothing_is_left(shop, cloud, unacked)

    assert [] == worker.mistakes()


async def test_an_id_that_comes_again_with_another_body_is_rejected_and_the_first_stands(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    await shop.publish((order("router-a"), binary("one")))
    await shop.outcomes(1)
    await shop.publish((order("router-b"), binary("one")))
    told = await shop.outcomes(2)

    assert ["vpn.vpnservice.created.v1", "vpn.vpnservice.create-rejected.v1"] == [event.type for event in told]
    assert {("ce-id", "id_reused")} == errors_of(told[1])
    assert 2 == len({event.headers["ce-id"] for event in told})
    assert 1 == cloud.state.calls["create"]
    assert ["rejected"] == [letter.headers["x-vpn-reason"] for letter in await shop.dead(1)]


async def test_a_bad_message_under_the_id_of_a_good_request_leaves_that_one_alone(
    shop: Shop, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    await shop.publish((b"{}", binary("one")), (order(), binary("one")), (b"[]", binary("one")))
    told = await shop.outcomes(3)

    assert 3 == len({event.headers["ce-id"] for event in told})
    assert 1 == cloud.state.creates
    assert 2 == len(await shop.dead(2))
