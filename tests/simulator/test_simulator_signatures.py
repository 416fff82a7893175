"""
Signed calls: the vectors of the document, what a signature covers, clocks that are off and keys that lock.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from tests.simulator.asking import PATH, ROUTER_ID, HandClock, signed_headers
from worker.simulator import Simulator, User
from worker.simulator.signatures import SignedRequest, canonical_request, read_authorization, read_sdk_date, signature

Start = Callable[..., Awaitable[tuple[Simulator, ClientSession]]]
BODY = b'{"vpnservice": {"router_id": "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"}}'
HOST = "vpc.eu-de.otc.t-systems.com"
USER = User("robot", project_id="p1", access_key="ak", secret_key="sk")

# cloud-api.md, Authentication: vectors made with huaweicloudsdkcore 3.1.219.
ACCESS_KEY = "AKEXAMPLE0000000000"
SECRET_KEY = "SKEXAMPLE000000000000000000000000000000"
VECTOR_AT_S = 1_704_067_200.0  # 20240101T000000Z
VECTOR_HEADERS = {
    "Content-Type": "application/json",
    "Host": HOST,
    "X-Project-Id": "10039663455a446d8ba2cbb058b0f578",
    "X-Sdk-Date": "20240101T000000Z",
}
SIGNED = "content-type;host;x-project-id;x-sdk-date"
VECTOR_BODY = b'{"vpnservice": {"router_id": "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa", "name": "myservice", "admin_state_up": true}}'
VECTORS = [
    ("POST", PATH, VECTOR_BODY, "8862fcad489100cc1e64f700d1be4520ec42e70fedcbbdd255524223a2ca718d", 201),
    (
        "GET",
        f"{PATH}?router_id={ROUTER_ID}&fields=id",
        b"",
        "dede6dfdbc10890e4a2f3b8fc0d905d0c32ccb961ccf1537688d7e30a5615bdb",
        200,
    ),
]


@pytest.mark.parametrize(("method", "target", "body", "expected", "_status"), VECTORS, ids=["POST", "GET"])
def test_the_documents_vectors(method: str, target: str, body: bytes, expected: str, _status: int) -> None:
    headers = {name.lower(): value for name, value in VECTOR_HEADERS.items()}

    assert expected == signature(SECRET_KEY, SignedRequest(method, target, headers, body), SIGNED.split(";"))


@pytest.mark.parametrize(("method", "target", "body", "expected", "status"), VECTORS, ids=["POST", "GET"])
async def test_the_documents_vectors_are_let_in(
    start: Start, method: str, target: str, body: bytes, expected: str, status: int
) -> None:
    user = User("robot", access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    simulator, client = await start(users=(user,), clock=lambda: VECTOR_AT_S)
    authorization = f"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={SIGNED}, Signature={expected}"

    headers = {**VECTOR_HEADERS, "Authorization": authorization}
    async with client.request(method, target, data=body or None, headers=headers) as answer:
        assert status == answer.status
    assert {} == simulator.state.keys.bad_signatures


def test_the_canonical_request_has_one_form() -> None:
    headers = {"host": " h ", "x-sdk-date": "d"}
    request = SignedRequest("GET", "/a%7Eb/c%20d/%C3%B6?b=2&a=x%20y&a=1&empty=&t=~", headers, b"")

    assert canonical_request(request, ["x-sdk-date", "host"]) == (
        "GET\n/a~b/c%20d/%C3%B6/\na=1&a=x%20y&b=2&empty=&t=~\nhost:h\nx-sdk-date:d\n\nhost;x-sdk-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=short",
        f"SDK-HMAC-SHA256 SignedHeaders=host, Access=a, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Access=a, SignedHeaders=host, Signature={'0' * 64}",
    ],
)
def test_an_authorization_of_another_form_is_none(text: str) -> None:
    assert read_authorization(text) is None


@pytest.mark.parametrize("text", ["", "2024-01-01T00:00:00Z", "20240101T000000", "20241301T000000Z"])
def test_a_date_of_another_form_is_none(text: str) -> None:
    assert read_sdk_date(text) is None


async def signed(
    start: Start, clock: HandClock, *, dialect: str = "otc", user: User = USER
) -> tuple[Simulator, Callable[..., Awaitable[tuple[int, str]]]]:
    """
    A simulator and a function that makes a signed create: what is signed, then changes to what is sent.
    """
    simulator, client = await start(users=(user,), clock=clock, dialect=dialect, services_per_vpc=0)
    host = urlsplit(simulator.url).netloc

    async def create(key: str = "sk", at_s: float | None = None, body: bytes = BODY, **more: str) -> tuple[int, str]:
        headers = signed_headers(host, clock.now_s if at_s is None else at_s, BODY, key, **more)
        async with client.post(PATH, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    return simulator, create


async def test_a_right_signature_stands_in_for_a_token(start: Start) -> None:
    simulator, create = await signed(start, HandClock())

    status, _ = await create()

    (service,) = simulator.state.services.values()
    assert 201 == status
    assert "p1" == service.attributes["tenant_id"]


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "other"},
        {"body": BODY.replace(b"66e3", b"66e4")},
        {"X-Sdk-Date": "20200913T122641Z"},
        {"Host": "elsewhere"},
    ],
    ids=["key", "body", "date", "host"],
)
async def test_a_signature_covers_what_is_sent(start: Start, changes: dict[str, Any]) -> None:
    simulator, create = await signed(start, HandClock())

    status, said = await create(**changes)

    assert (401, True) == (status, "APIG.0301" in said)
    assert {"ak": 1} == simulator.state.keys.bad_signatures
    assert {} == simulator.state.services


async def test_host_and_date_must_be_signed(start: Start) -> None:
    """
    A signature that leaves them out would be good at every host and for ever.
    """
    clock = HandClock()
    simulator, create = await signed(start, clock)
    headers = {"x-sdk-date": "20200913T122640Z"}
    seal = signature("sk", SignedRequest("POST", PATH, headers, BODY), ["x-sdk-date"])

    status, _ = await create(Authorization=f"SDK-HMAC-SHA256 Access=ak, SignedHeaders=x-sdk-date, Signature={seal}")

    assert 401 == status
    assert {"ak": 1} == simulator.state.keys.bad_signatures


@pytest.mark.parametrize(("off_s", "status"), [(-901, 401), (-899, 201), (0, 201), (899, 201), (901, 401)])
async def test_a_clock_more_than_fifteen_minutes_off_is_refused(start: Start, off_s: float, status: int) -> None:
    clock = HandClock()
    simulator, create = await signed(start, clock)

    answer, said = await create(at_s=clock.now_s + off_s)

    assert status == answer
    assert (status == 401) == ("timestamp" in said)
    # A wrong clock is no wrong signature: it locks nothing.
    assert {} == simulator.state.keys.bad_signatures


async def test_five_bad_signatures_in_a_row_lock_the_key_for_five_minutes(start: Start) -> None:
    clock = HandClock()
    simulator, create = await signed(start, clock)

    bad = [(await create("other"))[0] for _ in range(5)]
    locked = simulator.state.keys.locked()
    while_locked = await create()
    clock.now_s += 299
    still = await create()
    clock.now_s += 1
    after = await create()

    assert [401] * 5 == bad
    assert ["ak"] == locked
    assert (401, True) == (while_locked[0], "locked" in while_locked[1])
    assert (401, 201) == (still[0], after[0])
    assert {"ak": 5} == simulator.state.keys.bad_signatures
    assert [] == simulator.state.keys.locked()


async def test_a_good_signature_between_bad_ones_keeps_the_key_open(start: Start) -> None:
    simulator, create = await signed(start, HandClock())

    statuses = [(await create(key))[0] for key in ["other"] * 4 + ["sk"] + ["other"] * 4 + ["sk"]]

    assert [401] * 4 + [201] + [401] * 4 + [201] == statuses
    assert [] == simulator.state.keys.locked()


@pytest.mark.parametrize(
    ("sent", "status"), [({}, 401), ({"X-Security-Token": "no"}, 401), ({"X-Security-Token": "yes"}, 201)]
)
async def test_temporary_keys_need_their_security_token(start: Start, sent: dict[str, str], status: int) -> None:
    user = User("robot", project_id="p1", access_key="ak", secret_key="sk", security_token="yes")
    _, create = await signed(start, HandClock(), user=user)

    assert status == (await create(**sent))[0]


async def test_a_key_works_only_in_its_project(start: Start) -> None:
    _, create = await signed(start, HandClock())

    status, said = await create(**{"X-Project-Id": "p2"})

    assert (403, True) == (status, "APIG.0302" in said)
    assert 201 == (await create(**{"X-Project-Id": "p1"}))[0]


async def test_an_unknown_key_is_refused(start: Start) -> None:
    user = User("robot", access_key="another", secret_key="sk")
    _, create = await signed(start, HandClock(), user=user)

    assert 401 == (await create())[0]


@pytest.mark.parametrize(("dialect", "status"), [("otc", 201), ("huawei", 201), ("openstack", 401)])
async def test_signatures_are_known_to_two_of_the_three(start: Start, dialect: str, status: int) -> None:
    _, create = await signed(start, HandClock(), dialect=dialect)

    assert status == (await create())[0]
