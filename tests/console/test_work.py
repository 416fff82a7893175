"""
The console beside a real worker: what it tells, and what people do from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.graveyard import Death, bury
from tests.e2e.shop import binary, order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.console.conftest import Client
    from tests.e2e.conftest import StartCloud
    from tests.e2e.shop import Shop
    from worker.simulator import Simulator

    StartConsole = Callable[..., Awaitable[Client]]

BUSY = {"fault": "answer", "status": 425, "times": None}


async def test_the_numbers_move_with_the_requests(start_console: StartConsole, cloud: Simulator, shop: Shop) -> None:
    client = await start_console(cloud.url, follow="settled")
    await client.until(lambda said: said["series"]["at"], "a first step")
    await shop.publish(*[(order(), binary()) for _ in range(5)], (b"{", binary()))
    await shop.outcomes(6)
    said = await client.until(
        lambda said: sum(said["series"]["created"]) == 5 and sum(said["series"]["rejected"]) == 1, "six outcomes"
    )

    assert {"created": 5, "failed": 0, "rejected": 1, "in_doubt": 0} == said["outcomes"]
    assert 5 <= said["api"]["calls"]
    assert any(value is not None and value > 0 for value in said["series"]["critical_time_p95_s"])
    assert (0, 1) == (said["waiting"], said["dead"])
    assert said["ready"]
    assert None is said["paused"]


async def test_it_says_why_it_is_paused(start_console: StartConsole, start_cloud: StartCloud, shop: Shop) -> None:
    cloud = await start_cloud()
    client = await start_console(cloud.url, trip_after=1)
    await cloud.close()
    await shop.publish((order(), binary()))
    said = await client.until(lambda said: said["paused"] is not None, "a pause")

    assert not said["ready"]
    assert "failing" == said["checks"]["cloud"]["state"]
    assert said["checks"]["cloud"]["remedy"]


async def test_one_order_is_found_and_its_history_told(
    start_console: StartConsole, cloud: Simulator, shop: Shop
) -> None:
    client = await start_console(cloud.url, reconcile_window_s=0)
    cloud.state.faults.add({"fault": "answer", "status": 503, "times": 1})
    await shop.publish((order(order_id="o-77", name="<b>ü\u202e"), binary("order-77")), (order(), binary("other")))
    await shop.created(2)
    for text in ("order-77", "order-7", "o-77"):
        (found,) = (await client.get("/api/requests", q=text)).data["requests"]
        assert ("order-77", "created") == (found["request"], found["state"])
    (by_router,) = (await client.get("/api/requests", q=found["router"])).data["requests"]
    (by_service,) = (await client.get("/api/requests", q=found["service"])).data["requests"]
    said = (await client.get("/api/request", id="order-77")).data
    nobody = await client.get("/api/request", id="order-78")

    assert by_router == by_service == found
    assert "<b>ü\u202e" == said["request"]["asked"]["name"]
    whats = [moment["what"] for moment in said["history"]]
    assert ("arrived", "decided") == (whats[0], whats[-1])
    assert "answered" in whats
    assert [503] == [moment["detail"]["http_status"] for moment in said["history"] if moment["what"] == "answered"]
    assert [moment["at"] for moment in said["history"]] == sorted(moment["at"] for moment in said["history"])
    assert (404, True) == (nobody.status, bool(nobody.data["remedy"]))


async def test_pages_follow_each_other(start_console: StartConsole, cloud: Simulator, shop: Shop) -> None:
    client = await start_console(cloud.url)
    await shop.publish(*[(order(), binary(f"order-{number}")) for number in range(5)])
    await shop.created(5)
    first = (await client.get("/api/requests", limit="3")).data
    second = (await client.get("/api/requests", limit="3", before=first["next"])).data
    told = [row["request"] for row in first["requests"] + second["requests"]]

    assert {f"order-{number}" for number in range(5)} == set(told)
    assert (5, None) == (len(told), second["next"])


async def test_dead_letters_are_replayed(start_console: StartConsole, cloud: Simulator, shop: Shop) -> None:
    client = await start_console(cloud.url, request_deadline_s=1, quick_wait_s=0)
    cloud.state.faults.add(BUSY)
    await shop.publish((order(), binary("late-1")), (order(), binary("late-2")))
    await shop.outcomes(2)
    said = await client.until(lambda said: said["total"] == 2, "two letters", "/api/letters")
    letters = {letter["request"]: letter for letter in said["letters"]}
    cloud.state.faults.clear()
    done = await client.post("/api/replay", {"letters": [letters["late-1"]["id"]]})
    again = await client.post("/api/replay", {"letters": [letters["late-1"]["id"]]})
    await shop.outcomes(3)
    rest = await client.post("/api/replay", {"reason": "failed"})
    await shop.outcomes(4)
    left = await client.until(lambda said: said["total"] == 0, "no letters", "/api/letters")
    history = (await client.get("/api/request", id="late-1")).data["history"]

    assert [{"reason": "failed", "count": 2}] == said["reasons"]
    assert all(letter["may_replay"] and not letter["may_resolve"] for letter in letters.values())
    assert ["late-1"] == [one["request"] for one in done.data["replayed"]]
    assert ([], []) == (again.data["replayed"], again.data["left"])
    assert ["late-2"] == [one["request"] for one in rest.data["replayed"]]
    assert [] == left["letters"]
    assert "replayed" in [moment["what"] for moment in history]
    assert 2 == len(cloud.state.services)
    (first, *_) = client.worker.logged("console.replayed")
    assert (1, "127.0.0.1") == (first["letters"], first["address"])


async def test_a_request_in_doubt_is_resolved(start_console: StartConsole, cloud: Simulator, shop: Shop) -> None:
    client = await start_console(cloud.url, when_not_found="in_doubt", reconcile_window_s=0, api_timeout_s=1)
    cloud.state.faults.add({"fault": "hang", "times": None})
    await shop.publish((order(), binary("doubt-1")))
    said = await client.until(lambda said: said["total"] == 1, "a letter", "/api/letters")
    body = {"request": "doubt-1", "source": "/shop"}
    unknown = await client.post("/api/resolve", body | {"created": "no-such-service"})
    done = await client.post("/api/resolve", body | {"created": None})
    other = await client.post("/api/resolve", body | {"created": "x", "unchecked": True})

    assert said["letters"][0]["may_resolve"]
    assert 409 == unknown.status
    assert (200, "failed") == (done.status, done.data["state"])
    assert 409 == other.status


ACTIONS: tuple[tuple[str, object], ...] = (
    ("/api/replay", None),
    ("/api/replay", []),
    ("/api/replay", {}),
    ("/api/replay", {"letters": [], "reason": "failed"}),
    ("/api/replay", {"letters": []}),
    ("/api/replay", {"letters": [1]}),
    ("/api/replay", {"letters": ["x"] * 501}),
    ("/api/replay", {"reason": 7}),
    ("/api/resolve", {"request": "x"}),
    ("/api/resolve", {"request": "x", "source": "y", "created": ""}),
    ("/api/resolve", {"request": 1, "source": "y"}),
)


async def test_a_wrong_action_is_refused_in_words(console: Client) -> None:
    for path, body in ACTIONS:
        said = await console.post(path, body)

        assert (400, True) == (said.status, bool(said.data["error"])), (path, body)


async def test_foreign_letters_cannot_be_replayed(console: Client, shop: Shop) -> None:
    await bury(shop, Death("odd", reason="foreign", body=b"\x00<script>"))
    said = await console.until(lambda said: said["total"] >= 1, "a letter", "/api/letters")
    done = await console.post("/api/replay", {"letters": [said["letters"][0]["id"]]})

    assert "foreign" == said["letters"][0]["reason"]
    assert not said["letters"][0]["may_replay"]
    assert ([], 1) == (done.data["replayed"], len(done.data["left"]))
