import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import aio_pika
import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages import CreateVpnService, EncodedRequest, FieldError, InvalidRequestError, Routes, encode
from messages.envelope import Envelope, Rejection, Request, decode_request
from messages.examples import TRACEPARENT, example_request
from messages.faults import CODES
from messages.publishing import RequestOptions

BODY = example_request()
SOON = datetime(2030, 1, 31, 12, tzinfo=UTC)
#: Every argument there is, with a value that is good.
EVERYTHING: RequestOptions = {
    "id": "order-1",
    "source": "/shop",
    "correlation_id": "c-1",
    "reply_to": "replies",
    "user_id": "shop",
    "expires_at": SOON,
    "made_at": SOON - timedelta(hours=1),
    "follow": "settled",
    "extensions": {"orderitem": "item-7", "rush": True, "line": 7},
    "traceparent": TRACEPARENT,
    "tracestate": "a=b",
    "mode": "binary",
    "routes": Routes("test"),
    "unchecked": False,
}
#: Each argument with a value that is none, and the code of the fault.
WRONG = {
    "id": ("", "id_missing"),
    "source": ("s" * 256, "too_long"),
    "correlation_id": ("c\n", "control_character"),
    "reply_to": (7, "wrong_type"),
    "user_id": ("", "too_short"),
    "expires_at": (datetime(2030, 1, 31, 12), "not_a_time"),  # noqa: DTZ001 - this is what is wrong with it
    "made_at": ("2030-01-31", "not_a_time"),
    "follow": ("always", "unsupported_value"),
    "mode": ("xml", "unsupported_value"),
    "traceparent": ("00-xyz", "unsupported_value"),
    "extensions": (["orderitem"], "wrong_type"),
}


def as_envelope(sent: EncodedRequest) -> Envelope:
    """
    What the worker sees of it.
    """
    names = ("content_type", "message_id", "app_id", "correlation_id", "reply_to", "user_id")
    return Envelope(body=sent.body, headers=sent.headers, **{name: sent.properties.get(name) for name in names})


def arrived(sent: EncodedRequest) -> Request:
    request = decode_request(as_envelope(sent))
    assert isinstance(request, Request), request

    return request


def refused(body: Any, **told: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as raised:
        encode(body, **{"id": "order-1", "source": "/shop", **told})

    return raised.value


def faults(body: Any = BODY, **told: Any) -> dict[str, str]:
    return {error.path: error.code for error in refused(body, **told).errors}


def test_the_least_that_is_needed() -> None:
    sent = encode(BODY, id="order-1", source="/shop")

    assert sent == EncodedRequest(
        body=json.dumps(BODY).encode(),
        headers={
            "ce-specversion": "1.0",
            "ce-id": "order-1",
            "ce-source": "/shop",
            "ce-type": "vpn.vpnservice.create.v1",
        },
        properties={"content_type": "application/json", "delivery_mode": 2},
        exchange="vpn.requests",
        routing_key="vpnservice.create",
        mandatory=True,
    )


@pytest.mark.parametrize("mode", ["binary", "structured", "plain"])
def test_everything_that_can_be_said_arrives_in_each_mode(mode: Any) -> None:
    sent = encode(BODY, **{**EVERYTHING, "mode": mode})
    request = arrived(sent)

    assert set(EVERYTHING) == set(RequestOptions.__annotations__)
    assert ("/shop", "order-1", "c-1", "replies") == (
        request.source,
        request.id,
        request.correlation_id,
        request.reply_to,
    )
    assert (SOON, SOON - timedelta(hours=1), "settled") == (request.expires_at, request.made_at, request.follow)
    assert {"orderitem": "item-7", "rush": True, "line": 7} == request.extensions
    assert (TRACEPARENT, "a=b") == (request.traceparent, request.tracestate)
    assert ("shop", 2) == (sent.properties["user_id"], sent.properties["delivery_mode"])
    assert "test.requests" == sent.exchange
    assert BODY["vpnservice"] == request.body.vpnservice.model_dump(exclude_unset=True)


def test_a_model_is_sent_as_its_mapping_is() -> None:
    model = encode(CreateVpnService.model_validate(BODY), id="i", source="s")

    assert json.loads(model.body) == BODY
    assert arrived(model) == arrived(encode(BODY, id="i", source="s"))


def test_the_same_arguments_give_the_same_message() -> None:
    assert encode(BODY, **EVERYTHING) == encode(BODY, **EVERYTHING)


@pytest.mark.parametrize("mode", ["binary", "structured", "plain"])
def test_pika_and_aio_pika_take_headers_and_properties_as_they_are(mode: Any) -> None:
    sent = encode(BODY, **{**EVERYTHING, "mode": mode})
    with_pika = pika.BasicProperties(headers=sent.headers, **sent.properties)
    with_aio_pika = aio_pika.Message(sent.body, headers=sent.headers, **sent.properties)

    assert b"" != b"".join(with_pika.encode())
    for name in ("content_type", "delivery_mode", "correlation_id", "reply_to", "user_id"):
        assert sent.properties[name] == getattr(with_pika, name) == getattr(with_aio_pika.properties, name)
    assert sent.properties.get("message_id") == with_aio_pika.message_id == with_pika.message_id
    assert sent.properties.get("app_id") == with_aio_pika.app_id == with_pika.app_id


def test_every_fault_is_told_at_once_with_its_path() -> None:
    body = {"vpnservice": {"name": "x" * 65, "admin_state_up": False, "routerid": "r"}}
    error = refused(body, id=None, follow="always", extensions={"Order-Item": "7", "follow": "none"})

    assert {
        "id": "id_missing",
        "follow": "unsupported_value",
        'extensions."Order-Item"': "unsupported_value",
        "extensions.follow": "unsupported_value",
        "vpnservice.name": "too_long",
        "vpnservice.admin_state_up": "not_true",
        "vpnservice.router_id": "missing",
        "vpnservice.routerid": "unknown_field",
    } == {fault.path: fault.code for fault in error.errors}
    assert str(error).startswith("the request has 8 errors:\n  id: is mandatory: without an id")
    assert "\n  vpnservice.name: must be 1 to 64 characters, got 65\n" in str(error)
    assert set(faults(body, **{name: value for name, (value, _) in WRONG.items()})) >= set(WRONG)


@pytest.mark.parametrize("name", WRONG)
def test_each_argument_that_is_wrong_is_named(name: str) -> None:
    value, code = WRONG[name]
    found = faults(**{name: value})

    assert {name: code} == found
    assert code in CODES


def test_one_error_is_one() -> None:
    assert "the request has 1 error:\n  source: must be a string, got null" == str(refused(BODY, source=None))


@pytest.mark.parametrize(
    ("extensions", "path"),
    [
        ({"Item": "7"}, 'extensions."Item"'),
        ({"id": "7"}, "extensions.id"),
        ({"item": 1.5}, "extensions.item"),
        ({"item": 2**63}, "extensions.item"),
        ({"expirytime": "2030-01-31T12:00:00Z"}, "extensions.expirytime"),
        ({7: "item"}, 'extensions."7"'),
    ],
)
def test_an_extension_that_cannot_travel_is_named(extensions: Any, path: str) -> None:
    assert [path] == list(faults(extensions=extensions))


def test_an_extension_of_ours_is_told_its_argument() -> None:
    assert "give it as the argument expires_at" in str(refused(BODY, extensions={"expirytime": "x"}))


def test_a_tracestate_needs_a_traceparent() -> None:
    assert {"tracestate": "unsupported_value"} == faults(tracestate="a=b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, {"body": "wrong_type"}),
        (b'{"vpnservice": {}}', {"body": "wrong_type"}),
        ({"vpnservice": {"router_id": uuid.uuid4()}}, {"vpnservice.router_id": "wrong_type"}),
        ({"router_id": "r"}, {"vpnservice": "missing", "router_id": "unknown_field"}),
    ],
)
def test_a_body_that_is_none_is_told_where(body: Any, expected: dict[str, str]) -> None:
    assert expected == faults(body)


def test_any_mapping_will_do_for_the_body() -> None:
    assert encode(MappingProxyType(BODY), id="i", source="s") == encode(BODY, id="i", source="s")


def test_what_only_the_finished_message_shows_is_found_as_well() -> None:
    assert {"headers": "headers_too_large"} == faults(extensions={f"item{n}": "x" * 900 for n in range(20)})


def test_an_argument_there_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(TypeError, match=re.escape('no argument "replyto": known are id, source, correlation_id, ')):
        encode(BODY, id="i", source="s", replyto="x")  # type: ignore[call-arg]


def test_unchecked_sends_what_the_worker_rejects() -> None:
    sent = encode({"vpnservice": {}}, id="i", source="s", unchecked=True)
    read = decode_request(as_envelope(sent))

    assert isinstance(read, Rejection)
    assert ["vpnservice.router_id"] == [error.path for error in read.errors]


@given(
    body=st.one_of(
        st.fixed_dictionaries(
            {"vpnservice": st.dictionaries(st.sampled_from(("router_id", "name", "order_id", "bad")), st.text())}
        ),
        st.dictionaries(st.text(), st.none()),
    ),
    told=st.fixed_dictionaries(
        {"id": st.text(), "source": st.text(), "mode": st.sampled_from(("binary", "structured", "plain"))},
        optional={
            "correlation_id": st.text(),
            "extensions": st.dictionaries(st.text(), st.one_of(st.text(), st.integers())),
            "follow": st.text(),
            "traceparent": st.text(),
        },
    ),
)
def test_what_it_gives_the_worker_takes_and_nothing_else_is_raised(body: Any, told: Any) -> None:
    sent: EncodedRequest | None = None
    found: tuple[FieldError, ...] = ()
    try:
        sent = encode(body, **told)
    except InvalidRequestError as error:
        found = error.errors

    assert (sent is None) == bool(found)
    assert all(fault.code in CODES and fault.path and fault.message.isprintable() for fault in found)
    if sent is not None:
        assert (told["source"], told["id"]) == (arrived(sent).source, arrived(sent).id)
