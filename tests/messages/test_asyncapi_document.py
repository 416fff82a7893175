"""
The AsyncAPI document is whole: every reference leads somewhere, every example fits its schema.

Checked against the published JSON Schema of AsyncAPI 3.0.0 when it was written; the rules that matter are here.
"""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft7Validator

from messages.asyncapi_document import asyncapi
from messages.events import EVENTS

DOCUMENT = asyncapi()
ALLOWED = {  # AsyncAPI 3.0.0, fixed fields of each object
    "channel": {"address", "messages", "title", "summary", "description", "servers", "parameters", "bindings"},
    "operation": {"action", "channel", "title", "summary", "description", "bindings", "messages", "reply"},
    "message": {"name", "title", "summary", "description", "contentType", "headers", "payload", "examples"},
}


def target(pointer: str) -> Any:
    node: Any = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        node = node[step]

    return node


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []

    return own + [found for item in node.values() for found in references(item)]


def resolved(node: Any) -> Any:
    if isinstance(node, list):
        return [resolved(item) for item in node]
    if not isinstance(node, dict):
        return node

    return resolved(target(node["$ref"])) if "$ref" in node else {key: resolved(item) for key, item in node.items()}


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)

    assert len(found) > 20
    assert all(target(pointer) for pointer in found)


def test_the_root_is_one_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) == {
        "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components",
    }  # fmt: skip
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert all({"host", "protocol"} <= set(server) for server in DOCUMENT["servers"].values())


def test_objects_have_only_the_fields_of_the_specification() -> None:
    for kind, nodes in (
        ("channel", DOCUMENT["channels"]),
        ("operation", DOCUMENT["operations"]),
        ("message", DOCUMENT["components"]["messages"]),
    ):
        assert all(set(node) <= ALLOWED[kind] for node in nodes.values())
    keys = [*DOCUMENT["components"]["messages"], *DOCUMENT["components"]["schemas"]]

    assert all(re.fullmatch(r"[\w.-]+", key) for key in keys)


def test_operations_name_messages_of_their_own_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        for place in (operation, operation.get("reply", operation)):
            start = place["channel"]["$ref"] + "/messages/"
            assert all(message["$ref"].startswith(start) for message in place["messages"])


def test_channels_have_the_names_on_the_broker() -> None:
    channels = asyncapi("team")["channels"]
    amqp = {name: channel["bindings"]["amqp"] for name, channel in channels.items() if "bindings" in channel}

    assert channels["requests"]["address"] == "vpnservice.create"
    assert amqp["requests"]["exchange"] == {
        "name": "team.requests", "type": "direct", "durable": True, "autoDelete": False, "vhost": "/",
    }  # fmt: skip
    assert "team.requests.create" in channels["requests"]["description"]
    assert amqp["vpnServiceCreated"]["exchange"]["name"] == "team.events"
    assert amqp["vpnServiceCreated"]["exchange"]["type"] == "topic"
    assert channels["vpnServiceStatusChanged"]["address"] == "vpnservice.status.{status}"
    assert list(channels["vpnServiceStatusChanged"]["parameters"]) == ["status"]
    assert amqp["deadLetters"]["queue"]["name"] == "team.dead"
    assert amqp["unrouted"]["queue"]["name"] == "team.unrouted"
    assert channels["replies"]["address"] is None


def test_bindings_are_exchange_or_queue() -> None:
    for channel in DOCUMENT["channels"].values():
        amqp = channel.get("bindings", {}).get("amqp")
        if amqp is not None:
            assert set(amqp) == {"is", "bindingVersion", "exchange" if amqp["is"] == "routingKey" else "queue"}


def test_each_event_is_sent_and_both_modes_and_plain_are_received() -> None:
    operations = DOCUMENT["operations"]

    assert {f"tell{event.__name__}" for event in EVENTS} | {"createVpnService"} == set(operations)
    assert len(operations["createVpnService"]["messages"]) == 3
    assert all(
        operation["bindings"]["amqp"]["deliveryMode"] == 2 and operation["bindings"]["amqp"]["mandatory"]
        for operation in operations.values()
        if operation["action"] == "send"
    )


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_every_example_fits_its_schemas(name: str) -> None:
    message = resolved(DOCUMENT["components"]["messages"][name])

    assert message["examples"]
    for example in message["examples"]:
        Draft7Validator(message["payload"]).validate(example["payload"])
        Draft7Validator(message.get("headers", {})).validate(example.get("headers", {}))


def test_a_bad_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix"):
        asyncapi("A B")


def test_the_document_is_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
