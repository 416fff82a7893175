"""
JSON Schemas (2020-12) of the bodies, made from the models.

They say what the models say, except for what JSON Schema has no words for: that 1.0 is no integer here, that a day is
in the calendar, and that text is whole Unicode characters.
"""

from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel

from messages.attributes import REQUEST_TYPE
from messages.characters import NO_CONTROLS
from messages.events import EVENTS
from messages.requests import CreateVpnService
from messages.services import VpnService
from messages.wording import IPV4

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SERVICE_FILE = "vpnservice.schema.json"

# As "not", because "$" in a pattern means the end of the text in some languages and the end of a line in others.
_NO_CONTROLS = MappingProxyType({"pattern": "[\\u0000-\\u001f\\u007f-\\u009f]"})

Schema = dict[str, Any]


def json_schemas() -> dict[str, Schema]:
    """
    File name -> JSON Schema: the request, the six events, the cloud's service.
    """
    files: dict[str, tuple[type[BaseModel], Literal["validation", "serialization"]]] = {
        file_of(REQUEST_TYPE): (CreateVpnService, "validation"),
        # An event has all its fields, so the schema demands them; a reader may be more forgiving, as the models are.
        **{file_of(event.type): (event, "serialization") for event in EVENTS},
        SERVICE_FILE: (VpnService, "validation"),
    }

    return {file: _schema(file, model, mode) for file, (model, mode) in files.items()}


def file_of(message_type: str) -> str:
    """
    The file that the schema of this CloudEvents type is in.
    """
    return f"{message_type.removeprefix('vpn.')}.schema.json"


def _schema(file: str, model: type[BaseModel], mode: Literal["validation", "serialization"]) -> Schema:
    made = model.model_json_schema(mode=mode)
    definitions = made.pop("$defs", {})
    name = file.removesuffix(".schema.json")
    head: Schema = {"$schema": DIALECT, "$id": f"urn:vpn-worker:schema:{name}", "title": model.__name__}

    return {**head, **_tidied(made, definitions)}


def _tidied(node: Any, definitions: Schema) -> Any:
    """
    The schema with definitions in place, and without what pydantic adds for Python's sake.
    """
    if isinstance(node, list):
        return [_tidied(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _tidied({**target, **beside}, definitions)
    tidy = {key: _tidied_member(key, value, definitions) for key, value in node.items() if key != "default"}
    if not isinstance(tidy.get("title"), dict):  # a property may be called title, an annotation may go
        tidy.pop("title", None)
    if tidy.get("pattern") == NO_CONTROLS:
        del tidy["pattern"]
        tidy["not"] = dict(_NO_CONTROLS)
    elif tidy.get("pattern") == IPV4:
        tidy |= {"format": "ipv4", "not": dict(_NO_CONTROLS)}
    if "description" in tidy and isinstance(tidy["description"], str):
        tidy["description"] = " ".join(tidy["description"].split())

    return tidy


def _tidied_member(key: str, value: Any, definitions: Schema) -> Any:
    if key == "properties":  # names of fields, not keywords: nothing may be dropped from here
        return {name: _tidied(schema, definitions) for name, schema in value.items()}

    return _tidied(value, definitions)
