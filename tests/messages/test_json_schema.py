"""
The schemas say what the models say: what one takes, the other takes.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from messages.attributes import REQUEST_TYPE
from messages.events import EVENTS, VpnServiceEvent
from messages.examples import example_events, example_request, example_response
from messages.json_schema import DIALECT, SERVICE_FILE, file_of, json_schemas
from messages.requests import CreateVpnService
from messages.services import VpnService
from messages.wording import SPEC_FIELDS

SCHEMAS = json_schemas()
VALIDATORS = {file: Draft202012Validator(schema) for file, schema in SCHEMAS.items()}
EXAMPLE_EVENTS = {file_of(event.type): event for event in example_events()}

# Characters of whole Unicode text; with the ones that limits and patterns are about.
TEXTS = (
    st.text(max_size=8)
    | st.sampled_from(["", "\0", "a\n", "\x7f", "\x85", "\u2028", "1.2.3.4", "1.2.3.4\n", "1.2.3.256", "2020-08-05"])
    | st.sampled_from(["2020-08-05T12:36:36Z", "2020-08-05T12:36:36.5+02:00", "2020-08-05T12:36:36", "\U0001f600" * 64])
    | st.sampled_from([64, 65, 255, 256]).map(lambda length: "ü" * length)
)
NUMBERS = (
    st.integers(-2, 2)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63), 10**30])
    # JSON Schema takes 1.0 for an integer; the models do not, and the schemas cannot say so.
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
)
ODD = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=3,
)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """
    Every object in a JSON value, the outermost first.
    """
    found = [value] if isinstance(value, dict) else []
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        found += objects_in(member)

    return found


@st.composite
def near_misses(draw: st.DrawFn, good: dict[str, Any], new: tuple[str, ...] = ("new",)) -> Any:
    """
    A good body with up to three things changed: a member replaced, added or dropped.
    """
    body = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from(objects_in(body)))
        name = draw(st.sampled_from([*target, *new]))
        if draw(st.integers(0, 4)) == 0:
            target.pop(name, None)
        else:
            target[name] = draw(ODD)

    return body


def takes(check: Callable[[], object]) -> bool:
    try:
        check()
    except ValidationError:
        return False

    return True


@given(near_misses(example_request(), (*SPEC_FIELDS, "project_id", "nmae")))
def test_the_requests_schema_and_model_agree(body: Any) -> None:
    by_model = takes(lambda: CreateVpnService.model_validate(body))

    assert VALIDATORS[file_of(REQUEST_TYPE)].is_valid(body) == by_model


@pytest.mark.parametrize("field", SPEC_FIELDS)
@given(value=ODD)
def test_schema_and_model_agree_on_every_field_of_the_request(field: str, value: Any) -> None:
    body = {"vpnservice": {"router_id": "r", field: value}}
    by_model = takes(lambda: CreateVpnService.model_validate(body))

    assert VALIDATORS[file_of(REQUEST_TYPE)].is_valid(body) == by_model


@given(near_misses(example_response()["vpnservice"]))
def test_the_services_schema_and_model_agree(service: Any) -> None:
    by_model = takes(lambda: VpnService.model_validate(service))

    assert VALIDATORS[SERVICE_FILE].is_valid(service) == by_model


def read(model: type[BaseModel], body: Any) -> bool:
    return takes(lambda: model.model_validate_json(json.dumps(body), strict=True))


def completed(model: type[VpnServiceEvent], body: Any) -> Any:
    """
    The body as the model writes it, or the body itself when the model refuses it.
    """
    try:
        return json.loads(model.model_validate_json(json.dumps(body), strict=True).model_dump_json())
    except ValidationError:
        return body


@pytest.mark.parametrize("file", EXAMPLE_EVENTS)
@given(data=st.data())
def test_the_events_schemas_and_models_agree(file: str, data: st.DataObject) -> None:
    """
    A reader forgives a field that is not there, the schema does not; written again, the field is there.
    """
    event = EXAMPLE_EVENTS[file]
    body = data.draw(near_misses(event.model_dump(mode="json")))
    by_schema = VALIDATORS[file].is_valid(body)

    assert read(type(event), body) or not by_schema
    assert VALIDATORS[file].is_valid(completed(type(event), body)) == read(type(event), body)


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_schema_is_one_of_2020_12_and_stands_alone(file: str) -> None:
    schema = SCHEMAS[file]
    Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:vpn-worker:schema:{file.removesuffix('.schema.json')}"
    assert schema["title"]
    assert "$ref" not in json.dumps(schema)


@pytest.mark.parametrize("file", SCHEMAS)
def test_every_field_is_described(file: str) -> None:
    undescribed = [
        name
        for node in objects_in(SCHEMAS[file])
        if isinstance(node.get("properties"), dict)
        for name, member in node["properties"].items()
        if not member.get("description")
    ]

    assert undescribed == []


@pytest.mark.parametrize("file", EXAMPLE_EVENTS)
def test_an_event_has_all_its_fields(file: str) -> None:
    event = EXAMPLE_EVENTS[file]

    assert set(SCHEMAS[file]["required"]) == set(type(event).model_fields) == set(SCHEMAS[file]["properties"])
    VALIDATORS[file].validate(event.model_dump(mode="json"))


def test_there_is_a_schema_for_the_request_each_event_and_the_service() -> None:
    assert set(SCHEMAS) == {file_of(REQUEST_TYPE), SERVICE_FILE, *(file_of(event.type) for event in EVENTS)}


def test_no_default_invites_a_reader_to_add_what_was_not_sent() -> None:
    assert "default" not in json.dumps(SCHEMAS[file_of(REQUEST_TYPE)])
