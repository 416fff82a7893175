"""
Who asks: the identity of a request in each mode, and the way into a structured message.
"""

from typing import Any

from messages.attributes import (
    JSON_CONTENT,
    REQUEST_TYPE,
    SPECVERSION,
    check_size,
    checked_text,
    media_type,
)
from messages.faults import FieldError, kind, quoted, shown
from messages.strict_json import ABSENT


def unwrapped(event: Any, errors: list[FieldError]) -> tuple[dict[str, object], Any]:
    """
    Attributes and data of a structured message.
    """
    errors[:] = [FieldError(_path_in_event(error.path), error.code, error.message) for error in errors]
    if event is ABSENT:
        return {}, ABSENT
    if not isinstance(event, dict):
        errors.append(FieldError("body", "wrong_type", f"must be a CloudEvent as a JSON object, got {kind(event)}"))
        return {}, ABSENT
    # A null attribute is an absent one (CloudEvents JSON format, 2.2).
    attributes = {name: value for name, value in event.items() if value is not None and name != "data"}
    if "data_base64" in attributes:
        message = 'is not supported: send the JSON body as the member "data"'
        errors.append(FieldError("data_base64", "data_base64_unsupported", message))
        return attributes, ABSENT
    if "data" not in event:
        errors.append(FieldError("data", "missing", 'is mandatory: the body {"vpnservice": {...}}'))
    check_size(attributes, errors)

    return attributes, event.get("data", ABSENT)


def _path_in_event(path: str) -> str:
    """
    The path of an error in a structured message as it is in the other modes.
    """
    if path in ("body", "headers", "data"):
        return path

    return path.removeprefix("data.") if path.startswith("data.") else f"ce-{path}"


def structured_identity(attributes: dict[str, object], errors: list[FieldError]) -> tuple[str | None, str | None]:
    """
    Source and id of a structured message.
    """
    if not attributes and errors:  # no event could be read: its attributes are not missing
        return None, None
    if "specversion" not in attributes:
        errors.append(FieldError("ce-specversion", "missing", f"is mandatory: give {SPECVERSION}"))
    check_content(media_type(attributes.get("datacontenttype")), "ce-datacontenttype", errors)

    return cloudevents_identity(attributes, errors)


def cloudevents_identity(attributes: dict[str, object], errors: list[FieldError]) -> tuple[str | None, str | None]:
    """
    Source and id from CloudEvents attributes; checks version and type on the way.
    """
    version, kind_of_event = attributes.get("specversion", SPECVERSION), attributes.get("type")
    if version != SPECVERSION:
        message = f"must be {SPECVERSION}, got {shown(version)}"
        errors.append(FieldError("ce-specversion", "specversion_unsupported", message))
    if kind_of_event is None:
        errors.append(FieldError("ce-type", "missing", f"is mandatory: give {REQUEST_TYPE}"))
    elif kind_of_event != REQUEST_TYPE:
        message = f"must be {REQUEST_TYPE}, got {shown(kind_of_event)}"
        errors.append(FieldError("ce-type", "type_unsupported", message))
    source, identity = attributes.get("source"), attributes.get("id")
    if source is None:
        errors.append(FieldError("ce-source", "missing", "is mandatory: name the system that sends the request"))
    else:
        source = checked_text(source, "ce-source", errors)

    return source, checked_id(identity, "ce-id", errors)


def checked_id(value: object, path: str, errors: list[FieldError]) -> str | None:
    """
    The id when it is there and valid; else None and an error.
    """
    if value is None or value in ("", b""):
        message = "is mandatory: without an id a repeated message could create a second service"
        errors.append(FieldError(path, "id_missing", message))
        return None

    return checked_text(value, path, errors)


def check_content(media: str, path: str, errors: list[FieldError]) -> None:
    """
    Refuses a content type that is given and is not JSON, and batches of events.
    """
    is_json = media in (JSON_CONTENT, "text/json") or (
        media.endswith("+json") and not media.startswith("application/cloudevents")
    )
    if media and not is_json:
        message = f"must be {JSON_CONTENT} (one request a message), got {quoted(media)}"
        errors.append(FieldError(path, "content_type_unsupported", message))
