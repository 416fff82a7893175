"""
The messages: the request with its limits, and each event with its headers, fields and an example.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from messages.asyncapi_document import asyncapi
from messages.attributes import REQUEST_TYPE
from messages.events import EVENTS, ErrorField, ErrorInfo, VpnServiceEvent, VpnServiceStatusChanged
from messages.examples import example_request
from messages.json_schema import SERVICE_FILE, file_of, json_schemas
from worker.cli.reference.markdown import code, json_block, one_line, table

_FIELDS = ("field", "type", "meaning")


def event_list_part() -> str:
    """
    The events with their routing keys.
    """
    rows = ((f"[`{event.type}`](#{_title(event)})", code(_key(event)), one_line(event.__doc__)) for event in EVENTS)
    return table(("`ce-type`", "routing key", "when"), rows)


def event_headers_part() -> str:
    """
    The headers that every event has.
    """
    headers = asyncapi()["components"]["messages"][EVENTS[0].__name__]["headers"]
    rows = []
    for name, schema in headers["properties"].items():
        # The type is that of the event at hand, of which this is said of all.
        words = "The event's type." if name == "ce-type" else _words(schema)
        rows.append((code(name), "always" if name in headers["required"] else "if there is one", words))
    return table(("header", "is there", "meaning"), rows)


def event_fields_part() -> str:
    """
    The fields that every event has.
    """
    return table(_FIELDS, _fields(_properties(EVENTS[0]), {*VpnServiceEvent.model_fields}))


def error_fields_part() -> str:
    """
    The fields of `error`, and of each of its `fields`.
    """
    error = _branch(_properties(EVENTS[0])["error"])["properties"]
    faults = error["fields"]["items"]["properties"]
    return "\n\n".join(
        [
            table(_FIELDS, _fields(error, {*ErrorInfo.model_fields})),
            "Each of `fields`:",
            table(_FIELDS, _fields(faults, {*ErrorField.model_fields})),
        ]
    )


def events_part() -> str:
    """
    A section for each event: what it has beside what all have, and an example.
    """
    return "\n\n".join(_event(event) for event in EVENTS)


def service_fields_part() -> str:
    """
    The fields of the cloud's service object, as far as the document has them.
    """
    properties = json_schemas()[SERVICE_FILE]["properties"]
    return table(_FIELDS, _fields(properties, set(properties)))


def request_headers_part() -> str:
    """
    What says who asks: the attributes of CloudEvents as headers.
    """
    headers = asyncapi()["components"]["messages"]["CreateVpnServiceBinary"]["headers"]
    rows = ((code(name), _need(name, headers), _words(schema)) for name, schema in headers["properties"].items())
    return table(("header", "needed", "meaning"), rows)


def request_fields_part() -> str:
    """
    The fields of the body, with their limits.
    """
    spec = json_schemas()[file_of(REQUEST_TYPE)]["properties"]["vpnservice"]
    rows = (
        (code(name), _need(name, spec), f"{_kind(schema)}{_limits(_branch(schema))}", schema["description"])
        for name, schema in spec["properties"].items()
    )
    return table(("field of `vpnservice`", "needed", "type and limits", "meaning"), rows)


def request_example_part() -> str:
    """
    A whole request in binary mode.
    """
    sent = asyncapi()["components"]["messages"]["CreateVpnServiceBinary"]["examples"][0]
    return f"{_header_block(sent['headers'])}\n\n{json_block(example_request())}"


def _event(event: type[VpnServiceEvent]) -> str:
    sent = asyncapi()["components"]["messages"][event.__name__]["examples"][0]
    parts = [f"### {_title(event)}", f"{one_line(event.__doc__)} Routing key {code(_key(event))}."]
    own = set(event.model_fields) - set(VpnServiceEvent.model_fields)
    if own:
        parts.append(table(_FIELDS, _fields(_properties(event), own)))
    return "\n\n".join([*parts, _header_block(sent["headers"]), json_block(sent["payload"])])


def _title(event: type[VpnServiceEvent]) -> str:
    return event.type.removeprefix("vpn.vpnservice.").removesuffix(".v1")


def _key(event: type[VpnServiceEvent]) -> str:
    return f"{event.key}.<status>" if event is VpnServiceStatusChanged else event.key


def _properties(event: type[VpnServiceEvent]) -> dict[str, Any]:
    properties: dict[str, Any] = json_schemas()[file_of(event.type)]["properties"]
    return properties


def _fields(properties: Mapping[str, Any], names: set[str]) -> Iterator[tuple[str, str, str]]:
    for name, schema in properties.items():
        if name in names:
            yield code(name), _kind(schema), schema["description"]


def _branch(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    What a value is when it is not null.
    """
    branches: list[Mapping[str, Any]] = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return branches[0] if branches else schema


def _kind(schema: Mapping[str, Any]) -> str:
    branch = _branch(schema)
    kind = "time" if branch.get("format") == "date-time" else str(branch["type"])
    if kind == "array":
        kind = f"array of {branch['items']['type']}s"
    return f"{kind} or null" if "anyOf" in schema else kind


def _limits(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f", {str(schema['const']).lower()} alone"
    if "maxLength" in schema:
        limits = f", {schema.get('minLength', 0)} to {schema['maxLength']} characters"
        return f"{limits}, an IPv4 address" if schema.get("format") == "ipv4" else limits
    return f", {schema['minimum']} to {schema['maximum']}"


def _need(name: str, schema: Mapping[str, Any]) -> str:
    return "yes" if name in schema["required"] else "no"


def _words(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return code(schema["const"])
    choices = f" One of {', '.join(map(code, schema['enum']))}." if "enum" in schema else ""
    return f"{schema.get('description', 'A time (RFC 3339).')}{choices}"


def _header_block(headers: Mapping[str, Any]) -> str:
    return "```text\n" + "\n".join(f"{name}: {value}" for name, value in headers.items()) + "\n```"
