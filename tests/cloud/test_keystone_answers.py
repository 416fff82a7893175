"""
What an identity service may answer to a login, and what is asked of it word for word.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs
from yarl import URL

from tests.authority import Authority
from tests.cloud.conftest import RawServer, http
from worker.accounts.account import Account, ApplicationCredentials, Identity, PasswordCredentials
from worker.accounts.secret import Secret
from worker.cloud.call import Call
from worker.cloud.identity_api import UserRecords, endpoint_in, login_body, read_token
from worker.cloud.keystone import TokenLogin
from worker.cloud.login import LoginFailed
from worker.cloud.reply import Reply
from worker.cloud.transport import Transport
from worker.core.meanings import Fault

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]
CALL = Call("GET", URL("http://127.0.0.1/"))
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYSTONE_401 = (
    b'{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "U"}}'
)


def credentials(iam_url: str) -> PasswordCredentials:
    return PasswordCredentials(iam_url, Identity(name="u", domain_name="D"), Secret("pass-word"), Identity("p-1"))


def login_at(iam_url: str, transport: Transport, **settings: Any) -> TokenLogin:
    given = credentials(iam_url)
    return TokenLogin(Account("shop", given), given, transport, **settings)


def token_body(**changes: object) -> bytes:
    token = {"issued_at": "2026-03-01T12:00:00.000000Z", "expires_at": "2026-03-02T12:00:00.000000Z"}
    return orjson.dumps({"token": {name: value for name, value in (token | changes).items() if value is not None}})


@pytest.mark.parametrize(
    ("answer", "code", "is_settings_fault", "words"),
    [
        (http("401 Unauthorized", KEYSTONE_401), "login_refused", True, "The request you have made requires"),
        (http("401 Unauthorized"), "login_refused", True, "check user, password, domain and project"),
        (http("403 Forbidden", b'{"error": {"message": "locked"}}'), "login_forbidden", True, "The cloud says: locked"),
        (http("400 Bad Request"), "login_malformed", True, "does not understand the login"),
        (http("300 Multiple Choices", b'{"versions": {}}'), "iam_url_wrong", True, "usually ends in /v3"),
        (http("302 Found", b"", "Location: /v3"), "iam_url_wrong", True, "usually ends in /v3"),
        (http("404 Not Found", b"<html>no</html>"), "iam_url_wrong", True, "usually ends in /v3"),
        (http("405 Method Not Allowed"), "iam_url_wrong", True, "usually ends in /v3"),
        (http("200 OK", b"<html>Log in, please</html>"), "login_unreadable", True, "answered without a token"),
        (http("201 Created", token_body()), "login_unreadable", True, "answered without a token"),
        (
            http("201 Created", b"{}", "X-Subject-Token: t"),
            "login_unreadable",
            True,
            "without a token that can be read",
        ),
        (http("201 Created", token_body(), "X-Subject-Token: \xfc"), "login_unreadable", True, "can be read"),
        (http("204 No Content"), "iam_url_wrong", True, "usually ends in /v3"),
        (http("429 Too Many", b"", "Retry-After: 7"), "iam_failing", False, "is in trouble"),
        (http("408 Request Timeout"), "iam_failing", False, "is in trouble"),
        (http("500 Internal Server Error", b"<html>"), "iam_failing", False, "is in trouble"),
        (http("503 Service Unavailable", b"down"), "iam_failing", False, "is in trouble"),
        (b"220 mail.example.com ESMTP\r\n", "iam_unreachable", False, "did not answer"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{", "iam_unreachable", False, "did not answer"),
        (b"", "iam_unreachable", False, "did not answer"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
async def test_every_answer_but_a_token_has_its_own_words(
    open_transport: OpenTransport,
    answer_raw: AnswerRaw,
    answer: bytes,
    code: str,
    is_settings_fault: bool,
    words: str,
) -> None:
    server = await answer_raw(answer)
    login = login_at(f"{server.url}/v3", await open_transport())

    with capture_logs() as logs:
        failed = await login.headers(CALL)
        again = await login.headers(CALL)

    assert isinstance(failed, LoginFailed)
    assert (code, is_settings_fault) == (failed.trouble.code, failed.is_settings_fault)
    assert failed.trouble.message.startswith("The login of user u for account shop: 127.0.0.1 ")
    assert words in failed.trouble.message
    assert (7.0 if b"Retry-After" in answer else None) == failed.retry_after_s
    assert "pass-word" not in f"{failed}{logs}"
    assert failed == again
    assert 1 == len(server.requests)
    assert ["login.refused" if is_settings_fault else "login.failed"] == [line["event"] for line in logs]


async def test_an_identity_service_that_is_not_there_is_no_settings_fault(open_transport: OpenTransport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        login = login_at(f"http://127.0.0.1:{taken.getsockname()[1]}/v3", await open_transport())

        failed = await login.headers(CALL)

    assert isinstance(failed, LoginFailed)
    assert ("iam_unreachable", False) == (failed.trouble.code, failed.is_settings_fault)


async def test_an_identity_service_with_a_bad_certificate_is_a_settings_fault(
    open_transport: OpenTransport, answer_raw: AnswerRaw, authority: Authority
) -> None:
    context: ssl.SSLContext = authority.server("good")
    server = await answer_raw(http("201 Created", token_body(), "X-Subject-Token: t"), tls=context)
    login = login_at(f"{server.url}/v3", await open_transport())

    failed = await login.headers(CALL)

    assert isinstance(failed, LoginFailed)
    assert ("certificate_refused", True) == (failed.trouble.code, failed.is_settings_fault)
    assert "signed by an authority unknown here" in failed.trouble.message
    assert [] == server.requests


@pytest.mark.parametrize("status", ["201 Created", "200 OK"])
async def test_a_token_is_asked_for_as_the_identity_api_has_it(
    open_transport: OpenTransport, answer_raw: AnswerRaw, status: str
) -> None:
    server = await answer_raw(http(status, token_body(), "X-Subject-Token: t-1"))
    login = login_at(f"{server.url}/v3", await open_transport())

    assert {"X-Auth-Token": "t-1"} == await login.headers(CALL)
    head, body = server.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v3/auth/tokens HTTP/1.1\r\n")
    assert b"X-Auth-Token" not in head
    assert login_body(credentials("")) == body


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            PasswordCredentials(
                "", Identity(name="u", domain_name="D"), Secret("p"), Identity(name="n", domain_id="d")
            ),
            {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "u", "domain": {"name": "D"}, "password": "p"}},
                },
                "scope": {"project": {"name": "n", "domain": {"id": "d"}}},
            },
        ),
        (
            PasswordCredentials("", Identity("u-1", "u", "d", "D"), Secret("p"), Identity("p-1", "n", "d", "D")),
            {
                "identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}},
                "scope": {"project": {"id": "p-1"}},
            },
        ),
        (
            PasswordCredentials("", Identity("u-1"), Secret("p"), None),
            {"identity": {"methods": ["password"], "password": {"user": {"id": "u-1", "password": "p"}}}},
        ),
        (
            ApplicationCredentials("", "c-1", None, None, Secret("s")),
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {"id": "c-1", "secret": "s"},
                }
            },
        ),
        (
            ApplicationCredentials("", None, "c", Identity(name="u", domain_id="d"), Secret("s")),
            {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": {
                        "name": "c",
                        "user": {"name": "u", "domain": {"id": "d"}},
                        "secret": "s",
                    },
                }
            },
        ),
    ],
    ids=["password, names", "password, ids", "password, no scope", "credential, id", "credential, name"],
)
def test_the_body_of_a_login(given: PasswordCredentials | ApplicationCredentials, expected: object) -> None:
    """
    Identity API v3: Password authentication with scoped authorization; Authenticating with an application credential.
    """
    assert {"auth": expected} == orjson.loads(login_body(given))


@pytest.mark.parametrize(
    ("changes", "date", "lifetime_s"),
    [
        ({}, None, 86_400.0),
        ({"issued_at": "2026-03-02T11:59:00Z"}, None, 60.0),
        ({"issued_at": "2026-03-01T14:00:00+02:00"}, None, 86_400.0),
        ({"issued_at": "2026-03-01T12:00:00", "expires_at": "2026-03-01T13:00:00.5"}, None, 3600.5),
        ({"issued_at": None}, "Mon, 02 Mar 2026 11:00:00 GMT", 3600.0),
        ({"issued_at": None}, None, 86_400.0 + 60.0),
        ({"issued_at": None}, "once", 86_400.0 + 60.0),
    ],
)
def test_a_lifetime_is_told_by_the_service_then_by_its_clock_then_by_ours(
    changes: dict[str, object], date: str | None, lifetime_s: float
) -> None:
    headers = {"X-Subject-Token": "t"} | ({"Date": date} if date else {})

    token = read_token(Reply(201, headers, token_body(**changes)), NOON - timedelta(minutes=1))

    assert token is not None
    assert lifetime_s == token.lifetime_s


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"token": null}',
        b'{"token": []}',
        b'{"token": "t"}',
        token_body(expires_at=None),
        token_body(expires_at="tomorrow"),
        token_body(expires_at=17),
        token_body(issued_at=17),
        token_body(expires_at="2026-03-01T12:00:00Z"),
        token_body(expires_at="0001-01-01T00:00:00+23:59"),
        b"\xff" * 100,
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_body_that_cannot_be_read_is_no_token(body: bytes) -> None:
    assert read_token(Reply(201, {"X-Subject-Token": "t"}, body), NOON) is None


def service(kind: str, *endpoints: object) -> dict[str, object]:
    return {"type": kind, "name": "some", "endpoints": list(endpoints)}


def at(url: str, region: str | None = "eu-de", interface: str = "public") -> dict[str, object]:
    return {"interface": interface, "region": region, "region_id": region, "url": url, "id": "e"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://vpc.eu-de.otc.t-systems.com", "https://vpc.eu-de.otc.t-systems.com"),
        ("https://neutron.example.com:9696/", "https://neutron.example.com:9696"),
        ("https://neutron.example.com/v2.0", "https://neutron.example.com"),
        ("https://neutron.example.com/v2.0/", "https://neutron.example.com"),
        ("https://example.com/network/v2.0/?x=1#y", "https://example.com/network"),
        ("http://[::1]:9696//", "http://[::1]:9696"),
    ],
)
def test_the_endpoints_url_is_without_version(url: str, expected: str) -> None:
    found = endpoint_in([service("network", at(url))], ("network",), "public", None)

    assert URL(expected) == found


def test_type_interface_and_region_choose_the_endpoint() -> None:
    catalog = [
        service("compute", at("http://compute")),
        service("network"),
        service("network", at("http://a-admin", "a", "admin"), at("http://a", "a"), at("http://a2", "a")),
        service("network", at("http://b", "b"), {"interface": "public", "region_id": "c", "url": "http://c"}),
        service("vpc", at("http://vpc", "b")),
    ]

    def found(types: tuple[str, ...], interface: str, region: str | None) -> str:
        return str(endpoint_in(catalog, types, interface, region))

    assert "http://a" == found(("network",), "public", "a").rstrip("/")
    assert "http://b" == found(("network",), "public", "b").rstrip("/")
    assert "http://c" == found(("network",), "public", "c").rstrip("/")
    assert "http://a-admin" == found(("network",), "admin", None).rstrip("/")
    assert "http://vpc" == found(("vpc", "network"), "public", None).rstrip("/")
    assert "http://vpc" == found(("vpn", "vpc"), "public", None).rstrip("/")
    assert "The catalog has more than one region; set one: a, b, c." == found(("network",), "public", None)
    assert "The catalog has no endpoint in region d; it has a, b, c." == found(("network",), "public", "d")
    assert "The catalog has no internal endpoint of type network; it has admin, public." == found(
        ("network",), "internal", None
    )
    assert "The catalog has no service of type vpn or dns; it has compute, network, vpc." == found(
        ("vpn", "dns"), "public", None
    )


@pytest.mark.parametrize("catalog", [None, [], {}, "catalog", [1, None]])
def test_a_token_without_a_catalog_says_so(catalog: object) -> None:
    found = endpoint_in(catalog, ("network",), "public", None)

    assert "The token has no catalog; name a project for the login, or set VPN_WORKER_API_URL." == found


@pytest.mark.parametrize("url", [None, 17, "", "neutron.example.com", "ftp://example.com", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_told(url: Any) -> None:
    found = endpoint_in([service("network", at(url))], ("network",), "public", None)

    assert isinstance(found, str)


@pytest.mark.parametrize("endpoints", [None, "x", [None, 1], {}])
def test_a_service_with_odd_endpoints_has_none(endpoints: object) -> None:
    found = endpoint_in([{"type": "network", "endpoints": endpoints}], ("network",), "public", None)

    assert isinstance(found, str)


@pytest.mark.parametrize(("url", "times"), [("http://net.example.com", 1), ("http://127.0.0.1:9696", 0)])
async def test_an_endpoint_that_would_send_tokens_unencrypted_is_warned_of_once(
    open_transport: OpenTransport, answer_raw: AnswerRaw, url: str, times: int
) -> None:
    endpoints = [{"interface": "public", "region": "r", "url": url}]
    body = token_body(catalog=[{"type": "network", "endpoints": endpoints}])
    server = await answer_raw(http("201 Created", body, "X-Subject-Token: t"), stays=True)
    records = UserRecords(calm_s=0.0)
    login = login_at(f"{server.url}/v3", await open_transport(), catalog_types=("network",), records=records)

    with capture_logs() as logs:
        for _ in range(2):
            sent = await login.headers(CALL)
            assert not isinstance(sent, LoginFailed)
            assert await login.renew(sent, Fault(401, None, "gone", None), None) is None

    told = [line for line in logs if line["event"] == "settings.risky"]
    assert len(server.requests) > 1
    assert URL(url) == await login.endpoint()
    assert times == len(told)
    assert all("http://net.example.com is http: whoever listens" in line["remedy"] for line in told)
