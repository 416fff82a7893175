"""
The example that waits for a reply, as a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import StartWorker
    from tests.examples.conftest import Run
    from worker.simulator import Simulator

EXAMPLE = "request_reply.py"
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"  # doc: example request, router_id


async def test_the_answer_comes_back_also_when_one_asks_again(
    run: Run, topology: None, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    first = await run(EXAMPLE, "order-1", ROUTER, "myservice")
    again = await run(EXAMPLE, "order-1", ROUTER, "myservice")
    [service] = cloud.state.services.values()

    assert [f"order-1: created {service.id} PENDING_CREATE"] == first.out == again.out
    assert (0, "", 0, "") == (first.status, first.err, again.status, again.err)


async def test_a_refusal_is_told_in_words(
    run: Run, topology: None, cloud: Simulator, start_worker: StartWorker
) -> None:
    await start_worker(cloud.url)
    await run(EXAMPLE, "order-1", ROUTER, "myservice")
    said = await run(EXAMPLE, "order-2", ROUTER, "another")

    assert 1 == said.status
    assert said.out[0].startswith(f"order-2: failed: Router {ROUTER} already has VPN service ")


async def test_who_waited_in_vain_may_ask_again(
    run: Run, topology: None, cloud: Simulator, start_worker: StartWorker
) -> None:
    in_vain = await run(EXAMPLE, "order-1", ROUTER, "myservice", "--wait-s", "0.5")
    await start_worker(cloud.url)
    again = await run(EXAMPLE, "order-1", ROUTER, "myservice")

    assert (1, []) == (in_vain.status, in_vain.out)
    assert "Ask again, under the same order" in in_vain.err
    assert 0 == again.status
    assert 1 == len(cloud.state.services)
