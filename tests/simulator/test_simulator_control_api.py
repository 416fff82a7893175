"""
The control calls: state, faults, services set by hand, reset.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from tests.simulator.asking import HandClock, signed_headers, status_with, token_of
from worker.simulator import Simulator, User
from worker.simulator.users import DEFAULT_PROJECT_ID

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
PATH = "/v2.0/vpn/vpnservices"


async def create(client: ClientSession, **attributes: object) -> str:
    async with client.post(PATH, json={"vpnservice": {"router_id": "r", **attributes}}) as answer:
        body = await answer.json()
    return str(body["vpnservice"]["id"])


async def state_of(client: ClientSession) -> Any:
    async with client.get("/_simulator/state") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_the_state_tells_what_was_done(start: Start) -> None:
    _, client = await start(active_active=True)
    service_id = await create(client, name="n")
    await create(client, name="n")
    async with client.get(f"{PATH}/{service_id}") as answer:
        shown = (await answer.json())["vpnservice"]
    await client.get(PATH)
    await client.get("/nowhere")
    await client.post("/_simulator/faults", json={"fault": "slow", "times": 3, "delay_s": 2})

    state = await state_of(client)

    assert shown == state["services"][0]
    assert state["calls"] == {"create": 2, "list": 1, "show": 1, "delete": 0, "other": 1, "token": 0}
    assert state["answers"] == {"201": 2, "200": 2, "404": 1}
    assert state["creates"] == 2
    assert state["duplicates"] == [{"router_id": "r", "name": "n", "count": 1}]
    assert [fault["times"] for fault in state["faults"]] == [3]
    assert state["faults_hit"] == {}


async def test_the_state_shows_services_behind_a_cut_connection(start: Start) -> None:
    _, client = await start()
    await client.post("/_simulator/faults", json={"fault": "commit_then_close"})

    with pytest.raises(ServerDisconnectedError):
        await create(client)
    state = await state_of(client)

    assert [service["router_id"] for service in state["services"]] == ["r"]
    assert state["answers"] == {"cut": 1}
    assert state["faults_hit"] == {"commit_then_close": 1}


async def test_control_calls_are_not_counted_delayed_or_refused(start: Start) -> None:
    simulator, client = await start(latency_ms=60_000, token="right", faults=("error_503:1",))

    await state_of(client)

    assert simulator.state.calls.total() == 0


async def test_faults_are_listed_and_cleared(start: Start) -> None:
    _, client = await start()

    async with client.post("/_simulator/faults", json={"fault": "throttle", "match": {"name": "n"}}) as answer:
        added = await answer.json()
        assert answer.status == 201
    async with client.get("/_simulator/faults") as answer:
        listed = await answer.json()
    async with client.delete("/_simulator/faults") as answer:
        cleared = answer.status
    async with client.get("/_simulator/faults") as answer:
        left = await answer.json()

    assert added == {"number": 1, "fault": "throttle", "on": "create", "times": 1, "share": 1.0, "match": {"name": "n"}}
    assert {"faults": [added]} == listed
    assert cleared == 204
    assert left == {"faults": []}


async def test_one_fault_is_taken_back_and_the_others_stay(start: Start) -> None:
    _, client = await start()
    for kind in ("throttle", "close", "slow"):
        await client.post("/_simulator/faults", json={"fault": kind})

    statuses = []
    for number in ("2", "2", "x", "9" * 5000):
        async with client.delete(f"/_simulator/faults/{number}") as answer:
            statuses.append(answer.status)
    async with client.get("/_simulator/faults") as answer:
        left = await answer.json()

    assert [204, 404, 404, 404] == statuses
    assert ["throttle", "slow"] == [fault["fault"] for fault in left["faults"]]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"fault": "unheard-of"}', b'{"fault": "close", "tmes": 1}'])
async def test_a_bad_fault_is_refused_with_a_reason(start: Start, body: bytes) -> None:
    _, client = await start()

    async with client.post("/_simulator/faults", data=body) as answer:
        said = await answer.json()

    assert answer.status == 400
    assert said["message"].endswith(".")


async def test_attributes_can_be_set_by_hand(start: Start) -> None:
    simulator, client = await start()
    service_id = await create(client)

    changes = {"status": "FROZEN", "external_v4_ip": None}
    async with client.post(f"/_simulator/services/{service_id}", json=changes) as answer:
        body = await answer.json()

    assert answer.status == 200
    assert changes == {name: body[name] for name in changes}
    assert body == simulator.state.services[service_id].attributes


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"id": "x"}', b'{"router_id": "x"}', b'{"colour": "red"}'])
async def test_a_bad_change_is_refused(start: Start, body: bytes) -> None:
    _, client = await start()
    service_id = await create(client)

    async with client.post(f"/_simulator/services/{service_id}", data=body) as answer:
        assert answer.status == 400
        assert "message" in await answer.json()


async def test_changing_an_unknown_service_is_refused(start: Start) -> None:
    _, client = await start()

    async with client.post("/_simulator/services/unknown", json={"status": "ACTIVE"}) as answer:
        assert answer.status == 404


async def test_reset_goes_back_to_the_start(start: Start) -> None:
    simulator, client = await start(faults=("slow:0.5:list",), seed=1)
    before = await state_of(client)
    first = await create(client)
    await client.post("/_simulator/faults", json={"fault": "close", "on": "delete"})

    async with client.post("/_simulator/reset") as answer:
        status = answer.status

    assert status == 204
    assert before == await state_of(client)
    # With a seed even the ids come again.
    assert first == await create(client)
    assert [first] == list(simulator.state.services)


async def test_tokens_are_revoked(start: Start) -> None:
    simulator, client = await start(users=(User("ann", "secret"), User("bob", "geheim")))
    for name, password in (("ann", "secret"), ("ann", "secret"), ("bob", "geheim")):
        await token_of(client, name, password, DEFAULT_PROJECT_ID)

    revoked = []
    for body in ({"user": "ann"}, {}):
        async with client.post("/_simulator/tokens/revoke", json=body) as answer:
            revoked.append(await answer.json())

    assert [{"revoked": 2}, {"revoked": 1}] == revoked
    assert 0 == simulator.state.accounts.tokens.count()


async def test_a_password_is_changed(start: Start) -> None:
    _, client = await start(users=(User("ann", "secret"),))
    token = await token_of(client, "ann", "secret", DEFAULT_PROJECT_ID)

    async with client.post("/_simulator/users/ann/password", json={"password": "new"}) as answer:
        status = answer.status

    assert 204 == status
    assert 401 == await status_with(client, token)
    assert await token_of(client, "ann", "new", DEFAULT_PROJECT_ID)


async def test_the_clock_is_moved_and_every_answer_says_so(start: Start) -> None:
    _, client = await start(clock=HandClock())

    dates = []
    for ahead_s in (0, 1200, -1200.5):
        async with client.post("/_simulator/clock", json={"ahead_s": ahead_s}) as answer:
            now_s = (await answer.json())["now_s"]
        for path in (PATH, "/nowhere", "/_simulator/health"):
            async with client.get(path) as answer:
                dates.append((now_s, answer.headers["Date"]))

    assert [
        *[(1_600_000_000, "Sun, 13 Sep 2020 12:26:40 GMT")] * 3,
        *[(1_600_001_200, "Sun, 13 Sep 2020 12:46:40 GMT")] * 3,
        *[(1_599_998_799.5, "Sun, 13 Sep 2020 12:06:39 GMT")] * 3,
    ] == dates


async def test_a_truncated_answer_has_the_clouds_date_too(start: Start) -> None:
    _, client = await start(clock=HandClock(), faults=("truncated:1",))

    async with client.post(PATH, json={"vpnservice": {"router_id": "r"}}) as answer:
        assert "Sun, 13 Sep 2020 12:26:40 GMT" == answer.headers["Date"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("tokens/revoke", b'{"user": "eve"}', "no user eve"),
        ("tokens/revoke", b'{"user": 5}', "user must be"),
        ("tokens/revoke", b'{"usr": "ann"}', "no key but user"),
        ("tokens/revoke", b"{", "not JSON"),
        ("users/eve/password", b'{"password": "x"}', "no user eve"),
        ("users/ann/password", b'{"password": ""}', "must not be empty"),
        ("users/ann/password", b"{}", "password must be"),
        ("users/ann/password", b"[]", "no key but password"),
        ("clock", b"{}", "ahead_s must be"),
        ("clock", b'{"ahead_s": true}', "ahead_s must be"),
        ("clock", b'{"ahead_s": 1e12}', "ahead_s must be"),
    ],
)
async def test_a_control_call_that_cannot_be_understood_says_why(
    start: Start, path: str, body: bytes, said: str
) -> None:
    simulator, client = await start(users=(User("ann", "secret"),))

    async with client.post(f"/_simulator/{path}", data=body) as answer:
        message = (await answer.json())["message"]

    assert 400 == answer.status
    assert said in message
    assert 0 == simulator.state.clock_ahead_s


async def test_the_state_tells_of_logins_keys_and_load(start: Start) -> None:
    simulator, client = await start(users=(User("ann", "secret", access_key="ak", secret_key="sk"),))
    await token_of(client, "ann", "secret", DEFAULT_PROJECT_ID)
    await client.post("/v3/auth/tokens", json={})
    await client.post(PATH, headers=signed_headers("h", 0, b"", "wrong"))
    signed_at_s = simulator.state.now_s()
    for _ in range(5):
        await client.post(PATH, headers=signed_headers("h", signed_at_s, b"", "wrong"))

    state = await state_of(client)

    assert (1, {"": 1}, {"ak": 5}, ["ak"], 1, 0) == tuple(
        state[name]
        for name in ("tokens", "failed_logins", "bad_signatures", "locked_keys", "peak_working", "peak_waiting")
    )


async def test_health_answers(start: Start) -> None:
    _, client = await start()

    async with client.get("/_simulator/health") as answer:
        assert await answer.json() == {"status": "ok", "dialect": "otc"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/_simulator/"), ("GET", "/_simulator"), ("PUT", "/_simulator/state")]
)
async def test_an_unknown_control_call_is_refused(start: Start, method: str, path: str) -> None:
    simulator, client = await start()

    async with client.request(method, path) as answer:
        assert answer.status == 404
    assert simulator.state.calls["other"] == 0
