"""
How a refusal looks on the wire: every form of error body that the API family uses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

_PHRASES = {int(status): status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Said:
    """
    What a refusal says, whatever its form.
    """

    status: int
    code: str
    message: str
    request_id: str


@dataclass(frozen=True, slots=True)
class BodyForm:
    """
    One form of error body.

    Attributes:
        write: makes the body's bytes.
        content_type: without its charset.
    """

    write: Callable[[Said], bytes]
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """
    How one kind of refusal looks on the wire.

    Attributes:
        status: HTTP status.
        body: the form of its body.
        code: error code or type; forms without a code leave it out.
        message: text with the places that the refusal's details fill.
        headers: sent with it; `{origin}` stands for the simulator's own URL.
    """

    status: int
    body: BodyForm
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voice:
    """
    How one service speaks.

    Attributes:
        errors: its refusals by kind.
        request_id_headers: the headers that carry the request id of every answer.
    """

    errors: Mapping[str, ErrorForm]
    request_id_headers: tuple[str, ...]


def _neutron(said: Said) -> bytes:
    return orjson.dumps({"NeutronError": {"type": said.code, "message": said.message, "detail": ""}})


def _gateway(said: Said) -> bytes:
    return orjson.dumps({"error_code": said.code, "error_msg": said.message, "request_id": said.request_id})


def _code_message(said: Said) -> bytes:
    return orjson.dumps({"code": said.code, "message": said.message})


def _camel(said: Said) -> bytes:
    return orjson.dumps({"errorCode": said.code, "errorMsg": said.message})


def _message(said: Said) -> bytes:
    return orjson.dumps({"message": said.message, "request_id": said.request_id})


def _keystone(said: Said) -> bytes:
    error = {"code": said.status, "message": said.message, "title": _title(said.status)}
    return orjson.dumps({"error": error})


def _html(said: Said) -> bytes:
    title = f"{said.status} {_title(said.status)}"
    return f"<html><head><title>{title}</title></head><body><h1>{said.status}</h1></body></html>".encode()


def _text(said: Said) -> bytes:
    return said.message.encode()


def _empty(_said: Said) -> bytes:
    return b""


def _title(status: int) -> str:
    return _PHRASES.get(status, "Error")


NEUTRON = BodyForm(_neutron)
GATEWAY = BodyForm(_gateway)
CODE_MESSAGE = BodyForm(_code_message)
MESSAGE = BodyForm(_message)
KEYSTONE = BodyForm(_keystone)
HTML = BodyForm(_html, "text/html")
TEXT = BodyForm(_text, "text/plain")

# The names by which the fault `error` asks for a form (cloud-api.md, Errors: bodies to parse).
FORMS = {
    "neutron": NEUTRON,
    "error_code": GATEWAY,
    "code": CODE_MESSAGE,
    "camel": BodyForm(_camel),
    "message": MESSAGE,
    "keystone": KEYSTONE,
    "html": HTML,
    "text": TEXT,
    "empty": BodyForm(_empty),
}
