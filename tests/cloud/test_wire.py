"""
The cloud's bodies: every dialect of its errors, its services and lists.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.cloud.wire import read_fault, read_service, read_services
from worker.core.meanings import Fault
from worker.profiles import profile_named

OTC = profile_named("otc")

EXAMPLE = Path(__file__).parents[1] / "wire" / "api" / "example-response.json"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("body", "api_code", "message", "request_id"),
    [
        (
            {"NeutronError": {"type": "RouterNotFound", "message": "Router x could not be found", "detail": ""}},
            "RouterNotFound",
            "Router x could not be found",
            None,
        ),
        ({"NeutronError": {"type": "T", "message": "", "detail": "Look here"}}, "T", "Look here", None),
        ({"NeutronError": "Too many of them"}, None, "Too many of them", None),
        (
            {"error_code": "APIG.0308", "error_msg": "Throttled", "request_id": "r-9"},
            "APIG.0308",
            "Throttled",
            "r-9",
        ),
        ({"code": "VPC.1026", "message": "Exists already"}, "VPC.1026", "Exists already", None),
        ({"errorCode": "VPN.0031", "errorMsg": "Exists already"}, "VPN.0031", "Exists already", None),
        ({"message": "No backend", "request_id": "r-8"}, None, "No backend", "r-8"),
        (
            {"error": {"code": 401, "message": "The request needs authentication", "title": "Unauthorized"}},
            "401",
            "The request needs authentication",
            None,
        ),
        ({"error": {"code": "VPN.0001", "message": "Bad"}, "requestId": "r-7"}, "VPN.0001", "Bad", "r-7"),
        ({"error": {"title": "Not Found"}}, None, "Not Found", None),
        ({"error": "invalid_grant"}, None, "invalid_grant", None),
        ({"code": 404, "title": "Not Found", "message": "Gone"}, "404", "Gone", None),
        ({"code": True, "message": ["odd"]}, None, "HTTP 400", None),
        ({"error": 7}, None, "HTTP 400", None),
        ([], None, "HTTP 400", None),
        ("nothing", None, "HTTP 400", None),
    ],
    ids=str,
)
def test_a_dialect_is_read(body: object, api_code: str | None, message: str, request_id: str | None) -> None:
    assert Fault(400, api_code, message, request_id) == read_fault(400, json.dumps(body).encode(), None)


@pytest.mark.parametrize("body", [b"", b"<html><h1>500</h1></html>", b"\xff\xfe", b"{", b"[" * 100_000])
def test_what_is_no_json_leaves_the_status(body: bytes) -> None:
    assert Fault(502, None, "HTTP 502", "r-1") == read_fault(502, body, "r-1")


def test_the_id_in_the_body_goes_before_the_one_in_the_headers() -> None:
    assert "body" == read_fault(500, b'{"request_id": "body"}', "header").request_id


def test_a_message_is_one_short_line_whatever_the_cloud_writes() -> None:
    fault = read_fault(500, json.dumps({"code": "X", "message": "a\r\nb\x1b[31m\u2028" + "c" * 999}).encode(), None)

    assert fault.message.isprintable()
    assert 500 == len(fault.message)


def test_codes_and_request_ids_are_short_and_harmless_too() -> None:
    """
    They travel in headers, logs and the ledger; half a surrogate pair there could not be written at all.
    """
    fault = read_fault(500, json.dumps({"code": "x\n" + "y" * 9999}).encode(), "\udcff\r\n" + "z" * 9999)

    assert ("x " + "y" * 126, "   " + "z" * 125) == (fault.api_code, fault.request_id)


def test_the_documents_example_is_read() -> None:
    service = read_service(EXAMPLE.read_bytes(), OTC)

    assert service is not None
    assert ("5c561d9d-eaea-45f6-ae3e-08d1a7080828", "PENDING_CREATE") == (service.id, service.status)
    assert datetime(2020, 8, 5, 12, 36, 35, 921257, UTC) == service.created_at
    assert json.loads(EXAMPLE.read_text())["vpnservice"] == service.attributes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"vpnservice": null}',
        b'{"vpnservice": []}',
        b'{"vpnservice": {}}',
        b'{"vpnservice": {"id": ""}}',
        b'{"vpnservice": {"id": 7}}',
    ],
)
def test_without_an_id_there_is_no_service(body: bytes) -> None:
    assert read_service(body, OTC) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-08-05 12:36:35.921257", datetime(2020, 8, 5, 12, 36, 35, 921257, UTC)),
        ("2020-08-05T12:36:35Z", datetime(2020, 8, 5, 12, 36, 35, 0, UTC)),
        ("2020-08-05T14:36:35+02:00", datetime(2020, 8, 5, 12, 36, 35, 0, UTC)),
        ("2020-08-05", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("yesterday", None),
        (1596631000, None),
        (None, None),
    ],
)
def test_created_at_is_utc_or_nothing(text: object, moment: datetime | None) -> None:
    """
    A day without a time would be read as its midnight, and a service of ours as one made before our request.
    """
    service = read_service(json.dumps({"vpnservice": {"id": "s", "created_at": text}}).encode(), OTC)

    assert service is not None
    assert moment == service.created_at


def test_unknown_fields_and_statuses_are_kept() -> None:
    service = read_service(b'{"vpnservice": {"id": "s", "status": "FROZEN", "colour": {"deep": [1]}}}', OTC)

    assert service is not None
    assert ("FROZEN", {"deep": [1]}) == (service.status, service.attributes["colour"])


def test_a_list_page_gives_its_services_and_the_next_link() -> None:
    page = {
        "vpnservices": [{"id": "a"}, {"no": "id"}, "odd", {"id": "b"}],
        "vpnservices_links": [{"rel": "previous", "href": "http://x/?p=0"}, {"rel": "next", "href": "http://x/?p=2"}],
    }

    read = read_services(json.dumps(page).encode(), OTC)

    assert read is not None
    assert (["a", "b"], "http://x/?p=2") == ([one.id for one in read[0]], read[1])


@pytest.mark.parametrize("links", [None, [], {}, "next", [{"rel": "next"}], [{"rel": "next", "href": 7}], ["next"]])
def test_without_a_next_link_a_page_is_the_last(links: object) -> None:
    page = {"vpnservices": [], "vpnservices_links": links}

    assert ((), None) == read_services(json.dumps(page).encode(), OTC)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"vpnservices": null}', b'{"vpnservices": {}}', b"<html>"])
def test_what_is_no_list_is_not_taken_for_an_empty_one(body: bytes) -> None:
    """
    An empty list means "not found", and leads to another POST.
    """
    assert read_services(body, OTC) is None


@given(JSON)
def test_no_json_makes_a_reader_raise(value: object) -> None:
    try:
        body = orjson.dumps(value)
    except TypeError:
        body = json.dumps(value).encode()

    for wrapped in (body, b'{"vpnservice": ' + body + b"}", b'{"vpnservices": [' + body + b"]}"):
        read_fault(500, wrapped, None)
        read_service(wrapped, OTC)
        read_services(wrapped, OTC)


@given(st.fixed_dictionaries({}, optional={"id": JSON, "status": JSON, "created_at": JSON | st.datetimes().map(str)}))
def test_no_service_makes_a_reader_raise(shown: object) -> None:
    read_service(json.dumps({"vpnservice": shown}).encode(), OTC)
