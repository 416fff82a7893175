"""
What we sent to prove who we are does not come back in words, whoever repeats it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Awaitable, Callable
from urllib.parse import quote, quote_plus

import pytest
from yarl import URL

from tests.cloud.conftest import RawServer, http
from worker.accounts.account import ApplicationCredentials, Identity, PasswordCredentials
from worker.accounts.secret import Secret
from worker.cloud import answering
from worker.cloud.call import Call
from worker.cloud.caller import Place
from worker.cloud.identity_api import login_body
from worker.cloud.masking import masked
from worker.cloud.reply import NoReply, Reply
from worker.cloud.transport import Transport
from worker.core.answers import Unknown
from worker.profiles import profile_named

OpenTransport = Callable[..., Awaitable[Transport]]
AnswerRaw = Callable[..., Awaitable[RawServer]]
API = URL("http://127.0.0.1/")
TOKEN = "gAAAAAB-token/with+odd=characters"
PASSWORD = "pä\"s/s\\w'o<r>d 1"
ANN = Identity(name="ann", domain_name="Default")
SIGNED = {
    "X-Sdk-Date": "20261123T000000Z",
    "X-Project-Id": "project-1",
    "X-Security-Token": "security-token",
    "Authorization": "SDK-HMAC-SHA256 Access=AK123, SignedHeaders=host;x-sdk-date, Signature=0a1b2c",
}


def test_a_token_is_masked_wherever_it_stands() -> None:
    call = Call("GET", API, headers={"X-Auth-Token": TOKEN})

    assert "token *** is not valid, ***!" == masked(f"token {TOKEN} is not valid, {TOKEN}!", call)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("the key AK123 is not known", "the key *** is not known"),
        ("Signature=0a1b2c is wrong", "Signature=*** is wrong"),
        ("security-token has expired", "*** has expired"),
        (f"bad header {SIGNED['Authorization']}", "bad header ***"),
        ("project-1 at 20261123T000000Z", "project-1 at 20261123T000000Z"),
    ],
)
def test_of_a_signed_call_the_key_the_signature_and_the_token_are_masked(said: str, expected: str) -> None:
    assert expected == masked(said, Call("POST", API, b"{}", SIGNED))


@pytest.mark.parametrize("secret", ["pa55word", 'quo"te\\and\x07ümläut'])
def test_of_a_login_the_password_or_the_secret_is_masked(secret: str) -> None:
    user, project = Identity(name="ann", domain_name="Default"), Identity(name="eu-de", domain_name="Default")
    by_password = login_body(PasswordCredentials("http://iam/v3", user, Secret(secret), project))
    by_credential = login_body(ApplicationCredentials("http://iam/v3", None, "ci", user, Secret(secret)))

    for body in (by_password, by_credential):
        assert "ann of Default: *** is wrong" == masked(f"ann of Default: {secret} is wrong", Call("POST", API, body))


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(PASSWORD)[1:-1],
        json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
        json.dumps(PASSWORD, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        json.dumps(json.dumps(PASSWORD)[1:-1])[1:-1],
        json.dumps(json.dumps(PASSWORD, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        "p%c3%a4%22s%2fs%5cw%27o%3cr%3ed%201",
        quote_plus(PASSWORD),
        html.escape(PASSWORD),
        html.escape(PASSWORD, quote=False),
    ],
)
def test_a_secret_is_masked_however_it_is_written(written: str) -> None:
    body = login_body(PasswordCredentials("http://iam/v3", ANN, Secret(PASSWORD), None))

    assert "cannot read ***." == masked(f"cannot read {written}.", Call("POST", API, body))


def test_a_login_that_the_identity_service_repeats_is_told_without_its_password() -> None:
    body = login_body(PasswordCredentials("http://iam/v3", ANN, Secret('pä"ss-word-1'), None))
    for echoed in (body.decode(), json.dumps(json.loads(body))):
        answer = json.dumps({"error": {"message": f"cannot read {echoed}"}}).encode()

        fault = Reply(400, {}, answer, Call("POST", API, body)).fault()

        assert '"***"' in fault.message
        assert "ss-word-1" not in fault.message


def test_a_request_that_looks_like_a_login_is_none() -> None:
    body = b'{"vpnservice":{"name":"n","secret":"office"}}'

    assert "office" == masked("office", Call("POST", API, body))
    assert "office" == masked("office", None)


def test_what_is_too_short_to_be_told_from_other_words_stays() -> None:
    assert "a banana" == masked("a banana", Call("GET", API, headers={"X-Auth-Token": "a"}))


def test_a_secret_at_the_cut_of_a_long_message_is_masked_as_a_whole() -> None:
    message = "x" * 490 + TOKEN
    body = json.dumps({"code": f"c {TOKEN}", "message": message, "request_id": TOKEN}).encode()
    fault = Reply(401, {}, body, Call("GET", API, headers={"X-Auth-Token": TOKEN})).fault()

    assert ("c ***", "x" * 490 + "***", "***") == (fault.api_code, fault.message, fault.request_id)


def test_what_an_answer_says_of_itself_is_masked_and_short() -> None:
    call = Call("POST", API, b"{}", {"X-Auth-Token": TOKEN})
    headers = {"Content-Type": f"text/{TOKEN}" + "x" * 9999, "Location": f"https://host/{TOKEN}?{TOKEN}"}
    unknown = answering.not_created(Reply(200, headers, b"", call))
    redirected = answering.refused_create(Reply(302, headers, b"", call), Place(profile_named("otc")))

    assert "sent text/***xxx" in unknown.trouble.message
    assert len(unknown.trouble.message) < 200
    assert isinstance(redirected, Unknown)
    assert "redirects to https://host/***; set" in redirected.trouble.message


async def test_a_reply_over_the_wire_knows_what_it_must_not_repeat(
    open_transport: OpenTransport, answer_raw: AnswerRaw
) -> None:
    server = await answer_raw(http("401 Unauthorized", json.dumps({"message": f"bad {TOKEN}"}).encode()))
    transport = await open_transport()
    reply = await transport.send(Call("GET", URL(server.url), headers={"X-Auth-Token": TOKEN}))

    assert isinstance(reply, Reply)
    assert "bad ***" == reply.fault().message


@pytest.mark.parametrize(
    "answer",
    [
        f"HTTP/1.1 200 OK\r\nContent-Length: {TOKEN}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n",
        f"X-Auth-Token: {TOKEN}\r\n\r\n",
    ],
    ids=["length", "chunk", "first line"],
)
async def test_what_the_library_quotes_of_an_answer_that_is_no_http_is_masked(
    open_transport: OpenTransport, answer_raw: AnswerRaw, answer: str
) -> None:
    server = await answer_raw(answer.encode())
    transport = await open_transport()
    reply = await transport.send(Call("GET", URL(server.url), headers={"X-Auth-Token": TOKEN}))

    assert isinstance(reply, NoReply)
    assert "***" in reply.words
    assert TOKEN not in reply.words
