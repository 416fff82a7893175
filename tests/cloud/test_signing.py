"""
Signatures against vectors of the cloud's own SDK, against the simulator's second reading, and at the edges.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from yarl import URL

from worker.cloud.call import Call
from worker.cloud.reply import Reply
from worker.cloud.signing import SigningKey, signed_headers
from worker.cloud.transport import Transport
from worker.simulator import SimulatorConfig, User, start_simulator

KEY = SigningKey(
    "AKEXAMPLE0000000000", "SKEXAMPLE000000000000000000000000000000", project_id="10039663455a446d8ba2cbb058b0f578"
)
AT = datetime(2024, 1, 1, tzinfo=UTC)
SERVICES = URL("https://vpc.eu-de.otc.t-systems.com/v2.0/vpn/vpnservices")
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"
BODY = b'{"vpnservice": {"router_id": "%s", "name": "myservice", "admin_state_up": true}}' % ROUTER.encode()


def signature(call: Call, key: SigningKey = KEY, at: datetime = AT) -> str:
    return signed_headers(call, key, at)["Authorization"].rpartition("Signature=")[2]


def get(query: str = "", path: str = "/v2.0/vpn/vpnservices") -> Call:
    return Call("GET", URL(f"https://vpc.eu-de.otc.t-systems.com{path}?{query}"))


def test_a_create_is_signed_as_the_clouds_own_sdk_signs_it() -> None:
    """
    Vector: huaweicloudsdkcore 3.1.219 (cloud API family, AK/SK).
    """
    expected = {
        "X-Sdk-Date": "20240101T000000Z",
        "X-Project-Id": "10039663455a446d8ba2cbb058b0f578",
        "Authorization": "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000000,"
        " SignedHeaders=content-type;host;x-project-id;x-sdk-date,"
        " Signature=8862fcad489100cc1e64f700d1be4520ec42e70fedcbbdd255524223a2ca718d",
    }

    assert expected == signed_headers(Call("POST", SERVICES, BODY), KEY, AT)


def test_a_list_is_signed_as_the_clouds_own_sdk_signs_it() -> None:
    """
    Vector: huaweicloudsdkcore 3.1.219 (cloud API family, AK/SK).
    """
    call = get(f"router_id={ROUTER}&fields=id")

    assert "dede6dfdbc10890e4a2f3b8fc0d905d0c32ccb961ccf1537688d7e30a5615bdb" == signature(call)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (get("b=2&a=1"), get("a=1&b=2")),
        (get("a=2&a=1"), get("a=1&a=2")),
        (get("a="), get("a")),
        (get("name=my%20service"), get("name=my+service")),
        (get("name=%7E%2D"), get("name=~-")),
        (get("name=%3a"), get("name=:")),
        (get(path="/v2.0/vpn/vpnservices"), get(path="/v2.0/vpn/vpnservices/")),
        (get(path="/a%7eb"), get(path="/a~b")),
        (Call("get", SERVICES), Call("GET", SERVICES)),
    ],
)
def test_what_reads_the_same_is_signed_the_same(one: Call, same: Call) -> None:
    assert signature(one) == signature(same)


@pytest.mark.parametrize(
    "other",
    [
        get("name=a+b"),
        get("name=a%2Bb"),
        get("name=ab"),
        get("name=A%20B"),
        get("name=a&name=b"),
        get("name=%C3%BC"),
        get(path="/v2.0/vpn"),
        Call("DELETE", SERVICES),
        Call("GET", SERVICES, b"{}"),
        Call("GET", SERVICES.with_host("vpc.eu-nl.otc.t-systems.com")),
        Call("GET", SERVICES.with_port(8443)),
        Call("GET", SERVICES, headers={"Content-Type": "text/plain"}),
    ],
    ids=lambda call: f"{call.method} {call.url} {call.body!r}",
)
def test_what_differs_is_signed_differently(other: Call) -> None:
    assert signature(get()) != signature(other)


def test_the_signature_depends_on_key_project_token_and_second() -> None:
    call = get()
    keys = (KEY, replace(KEY, secret_key="x"), replace(KEY, project_id=None), replace(KEY, security_token="t"))

    assert 5 == len({*(signature(call, key) for key in keys), signature(call, at=AT + timedelta(seconds=1))})


def test_a_temporary_key_sends_and_signs_its_token() -> None:
    sent = signed_headers(get(), SigningKey("AK", "SK", "token"), AT)

    assert "token" == sent["X-Security-Token"]
    assert "X-Project-Id" not in sent
    assert "SignedHeaders=content-type;host;x-sdk-date;x-security-token," in sent["Authorization"]


def test_the_date_is_utc() -> None:
    at = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert signed_headers(get(), KEY, AT) == signed_headers(get(), KEY, at)


def test_a_key_shows_no_secret() -> None:
    assert "SigningKey(access_key='AK', project_id=None)" == repr(SigningKey("AK", "SK-secret", "token-secret"))


@pytest.mark.parametrize("security_token", [None, "temporary"])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"router_id": ROUTER},
        {"name": "my service + more"},
        {"name": "~ü!*'();:@&=+$,/?#[]%7E"},
        {"name": "日本"},
        [("fields", "name"), ("fields", "id"), ("name", "")],
    ],
    ids=repr,
)
async def test_what_is_signed_is_what_is_sent(
    stack: AsyncExitStack,
    open_transport: Callable[..., Awaitable[Transport]],
    query: dict[str, str] | list[tuple[str, str]],
    security_token: str | None,
) -> None:
    """
    The simulator reads the wire and derives the signature for itself.
    """
    user = User("u", access_key="AK", secret_key="SK", security_token=security_token)
    simulator = await start_simulator(SimulatorConfig(users=(user,)))
    stack.push_async_callback(simulator.close)
    transport = await open_transport()
    key = SigningKey("AK", "SK", security_token, user.project_id)
    url = URL(f"{simulator.url}/v2.0/vpn/vpnservices")
    calls = [Call("GET", url.with_query(query)), Call("POST", url, BODY), Call("GET", url / "no one's")]

    replies = [
        await transport.send(replace(call, headers=signed_headers(call, key, datetime.now(UTC)))) for call in calls
    ]

    assert [200, 201, 404] == [reply.status for reply in replies if isinstance(reply, Reply)]
