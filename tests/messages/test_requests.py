import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from messages.examples import example_request
from messages.faults import CODES, FieldError
from messages.requests import CreateVpnService, VpnServiceSpec, digest, field_errors, to_api_body
from messages.wording import SPEC_FIELDS

WIRE = Path(__file__).parent.parent / "wire"
ROUTER = "66e3b16c-8ce5-40fb-bb49-ab6d8dc3f2aa"
TEXT_FIELDS_OF_255 = ("subnet_id", "tenant_id", "description", "order_id", "product_id", "resource_speccode")


def build(**fields: Any) -> CreateVpnService:
    return CreateVpnService.model_validate({"vpnservice": {"router_id": ROUTER, **fields}})


def errors_of(body: object) -> list[FieldError]:
    with pytest.raises(ValidationError) as caught:
        CreateVpnService.model_validate(body)

    return field_errors(caught.value)


def refusal(**fields: Any) -> tuple[str, str]:
    """
    Path and code of the one error that these fields give.
    """
    [error] = errors_of({"vpnservice": {"router_id": ROUTER, **fields}})

    return error.path, error.code


def test_the_documents_example_is_sent_on_word_for_word() -> None:
    document = (WIRE / "api" / "example-request.json").read_bytes()

    request = CreateVpnService.model_validate_json(document)

    assert json.loads(document) == json.loads(to_api_body(request))
    assert json.loads(document) == example_request()


def test_the_fields_are_those_of_the_document() -> None:
    assert tuple(VpnServiceSpec.model_fields) == SPEC_FIELDS


def test_what_was_not_sent_is_not_sent_on_and_null_stays_null() -> None:
    assert (
        to_api_body(build(description=None))
        == f'{{"vpnservice":{{"router_id":"{ROUTER}","description":null}}}}'.encode()
    )


def test_every_field_at_once_is_sent_on() -> None:
    fields = dict.fromkeys(SPEC_FIELDS, "x") | {
        "admin_state_up": True,
        "prepay_connection_num": 3,
        "external_v4_ip": "172.32.1.11",
    }
    request = CreateVpnService.model_validate({"vpnservice": fields})

    assert json.loads(to_api_body(request)) == {"vpnservice": fields}


@pytest.mark.parametrize("field", TEXT_FIELDS_OF_255)
def test_text_fields_take_0_to_255_characters(field: str) -> None:
    build(**{field: ""})
    build(**{field: "\U0001f600" * 255})  # characters, not bytes and not UTF-16 units

    assert refusal(**{field: "x" * 256}) == (f"vpnservice.{field}", "too_long")


def test_name_takes_1_to_64_characters() -> None:
    build(name="n")
    build(name="ü" * 64)

    assert refusal(name="") == ("vpnservice.name", "too_short")
    assert refusal(name="n" * 65) == ("vpnservice.name", "too_long")


def test_router_id_is_mandatory_and_has_1_to_255_characters() -> None:
    build(router_id="r")
    build(router_id="r" * 255)

    assert [(e.path, e.code) for e in errors_of({"vpnservice": {}})] == [("vpnservice.router_id", "missing")]
    assert refusal(router_id=None) == ("vpnservice.router_id", "wrong_type")
    assert refusal(router_id="") == ("vpnservice.router_id", "too_short")
    assert refusal(router_id="r" * 256) == ("vpnservice.router_id", "too_long")


@pytest.mark.parametrize("value", [False, None, "true", 1, 1.0, 0, [True]])
def test_admin_state_up_can_only_be_true(value: object) -> None:
    assert refusal(admin_state_up=value) == ("vpnservice.admin_state_up", "not_true")


@pytest.mark.parametrize("field", [name for name in SPEC_FIELDS if name not in ("router_id", "admin_state_up")])
def test_optional_fields_take_null(field: str) -> None:
    assert json.loads(to_api_body(build(**{field: None})))["vpnservice"][field] is None


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1])
def test_prepay_connection_num_takes_a_count(value: int) -> None:
    assert build(prepay_connection_num=value).vpnservice.prepay_connection_num == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, "out_of_range"),
        (2**63, "out_of_range"),
        (True, "wrong_type"),
        (1.0, "wrong_type"),
        ("1", "wrong_type"),
        ([], "wrong_type"),
    ],
)
def test_prepay_connection_num_refuses_what_is_no_count(value: object, code: str) -> None:
    assert refusal(prepay_connection_num=value) == ("vpnservice.prepay_connection_num", code)


@pytest.mark.parametrize("value", ["172.32.1.11", "0.0.0.0", "255.255.255.255"])  # noqa: S104
def test_external_v4_ip_takes_an_ipv4_address(value: str) -> None:
    assert build(external_v4_ip=value).vpnservice.external_v4_ip == value


@pytest.mark.parametrize(
    "value", ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "2001:db8::1", "vpn.example", "\u0661.2.3.4"]
)
def test_external_v4_ip_refuses_anything_else(value: str) -> None:
    assert refusal(external_v4_ip=value) == ("vpnservice.external_v4_ip", "not_ipv4")


@pytest.mark.parametrize("character", ["\0", "\x01", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f"])
@pytest.mark.parametrize("field", ["router_id", "name", "external_v4_ip", *TEXT_FIELDS_OF_255])
def test_control_characters_are_refused_in_every_text(field: str, character: str) -> None:
    assert refusal(**{field: f"1.2.3.4{character}"}) == (f"vpnservice.{field}", "control_character")


@pytest.mark.parametrize("field", ["router_id", "name", "external_v4_ip", *TEXT_FIELDS_OF_255])
def test_lone_surrogates_are_refused_in_every_text(field: str) -> None:
    assert refusal(**{field: "a\ud800"}) == (f"vpnservice.{field}", "invalid_unicode")


def test_a_lone_surrogate_in_a_field_name_is_refused() -> None:
    assert [error.code for error in errors_of({"vpnservice": {"router_id": ROUTER, "\ud800": 1}})] == [
        "invalid_unicode"
    ]


@pytest.mark.parametrize("field", ["router_id", "name", "external_v4_ip", *TEXT_FIELDS_OF_255])
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["a"]])
def test_texts_refuse_other_types(field: str, value: object) -> None:
    assert refusal(**{field: value}) == (f"vpnservice.{field}", "wrong_type")


def test_project_id_is_refused_with_the_way_out() -> None:
    [error] = errors_of({"vpnservice": {"router_id": ROUTER, "project_id": "p"}})

    assert error == FieldError(
        "vpnservice.project_id",
        "project_id_unsupported",
        "is not supported by the API: use tenant_id for the project ID",
    )
    assert [e.code for e in errors_of({"project_id": "p", "vpnservice": {"router_id": ROUTER}})] == [error.code]


def test_an_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    [error] = errors_of({"vpnservice": {"router_id": ROUTER, "nmae": "x"}})

    assert (error.path, error.code) == ("vpnservice.nmae", "unknown_field")
    assert "did you mean name?" in error.message


def test_an_unknown_field_like_no_other_is_refused_with_all_known_ones() -> None:
    [error] = errors_of({"vpnservice": {"router_id": ROUTER, "zzz": "x"}})

    assert all(name in error.message for name in SPEC_FIELDS)


def test_a_body_without_the_object_around_it_is_told_to_put_it_there() -> None:
    errors = errors_of({"router_id": ROUTER})

    assert [(error.path, error.code) for error in errors] == [("vpnservice", "missing"), ("router_id", "unknown_field")]
    assert 'move "router_id" there' in errors[1].message


@pytest.mark.parametrize(("body", "path"), [([], "body"), (None, "body"), ({"vpnservice": [1]}, "vpnservice")])
def test_what_is_no_object_is_refused(body: object, path: str) -> None:
    assert [(error.path, error.code) for error in errors_of(body)] == [(path, "wrong_type")]


def test_all_errors_are_told_at_once() -> None:
    errors = errors_of({"vpnservice": {"name": "", "admin_state_up": False, "order_id": 5, "project_id": "p"}, "x": 1})

    assert {error.path: error.code for error in errors} == {
        "vpnservice.router_id": "missing",
        "vpnservice.name": "too_short",
        "vpnservice.admin_state_up": "not_true",
        "vpnservice.order_id": "wrong_type",
        "vpnservice.project_id": "project_id_unsupported",
        "x": "unknown_field",
    }


def test_the_inner_model_alone_refuses_in_the_same_words() -> None:
    with pytest.raises(ValidationError) as caught:
        VpnServiceSpec(router_id=ROUTER, name="n" * 65)

    assert field_errors(caught.value) == [FieldError("name", "too_long", "must be 1 to 64 characters, got 65")]


def test_input_that_looks_like_a_placeholder_is_shown_as_it_is() -> None:
    [error] = errors_of({"vpnservice": {"router_id": ROUTER, "{code}{text}": 1}})

    assert '"{code}{text}"' in error.message


@given(st.text(min_size=1), st.text())
def test_messages_echo_little_and_nothing_unprintable(name: str, value: str) -> None:
    try:
        CreateVpnService.model_validate({"vpnservice": {"router_id": value, "external_v4_ip": value, name: value}})
    except ValidationError as caught:
        for error in field_errors(caught):
            assert error.code in CODES
            assert (error.message + error.path).isprintable()
            assert len(error.message) < 400


def test_digest_is_the_same_for_the_same_request_however_written() -> None:
    one = CreateVpnService.model_validate_json('{"vpnservice":{"router_id":"r","name":"ü"}}')
    other = CreateVpnService.model_validate_json('{ "vpnservice" : {"name": "\\u00fc",\n"router_id":"r"} }')

    assert digest(one) == digest(other)
    assert digest(one) == hashlib.sha256('{"vpnservice":{"name":"ü","router_id":"r"}}'.encode()).hexdigest()


def test_digest_tells_null_from_absent() -> None:
    assert digest(build(name=None)) != digest(build())
