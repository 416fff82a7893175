"""
Every fault of a request, with a message that has it: each is read by the code that reads requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from messages.envelope import Envelope, Rejection, Request, decode_request, encode_request
from messages.examples import REQUEST_ID, REQUEST_SOURCE, example_request
from messages.faults import CODES, FieldError, id_reused
from worker.cli.reference.markdown import code, table
from worker.core.admission import Admission, faults
from worker.profiles import profile_named

_GOOD = encode_request(example_request(), id=REQUEST_ID, source=REQUEST_SOURCE)
_PLAIN = encode_request(example_request(), id=REQUEST_ID, source=REQUEST_SOURCE, mode="plain")
_STRUCTURED = encode_request(example_request(), id=REQUEST_ID, source=REQUEST_SOURCE, mode="structured")


@dataclass(frozen=True, slots=True)
class NoExampleError(Exception):
    """
    A code without an example: add one.
    """

    code: str


def rejections_part() -> str:
    """
    The codes with their meaning, and what `error.fields` has for an example of each.
    """
    rows = ((code(name), CODES[name], code(fault.path), fault.message) for name, fault in examples())
    return table(("code", "means", "such as at", "where it says"), rows)


def examples() -> Iterator[tuple[str, FieldError]]:
    """
    A fault of each code, in the table's order.

    Raises:
        NoExampleError: a code has none.
    """
    found = {fault.code: fault for fault in reversed([*_read_faults(), *_other_faults()])}
    for name in CODES:
        if name not in found:
            raise NoExampleError(name)
        yield name, found[name]


def _read_faults() -> Iterator[FieldError]:
    for envelope in _bad_messages():
        match decode_request(envelope):
            case Rejection(errors=errors):
                yield from errors
            case Request():
                continue


def _other_faults() -> Iterator[FieldError]:
    """
    Of requests that are valid, and yet not served.
    """
    yield id_reused("ce-id", REQUEST_ID)
    yield from faults(Admission(profile_named("openstack")), {"router_id": "r-1", "order_id": "1"}, None)
    otc = Admission(profile_named("otc"), users={"t-1": frozenset({"shop"})}, is_user_checked=True)
    yield from faults(otc, {"tenant_id": "t-2"}, "shop")
    yield from faults(otc, {"tenant_id": "t-1"}, "billing")


def _bad_messages() -> Iterator[Envelope]:
    yield from (replace(_GOOD, body=body) for body in _bad_bodies())
    for fields in (
        {"router_id": None},
        {"router_id": ""},
        {"router_id": "r-1", "colour": "blue"},
        {"router_id": "r-1", "project_id": "p-1"},
        {"router_id": "r-1", "name": 7},
        {"router_id": "r-1", "name": "x" * 65},
        {"router_id": "r-1", "name": "a\tb"},
        {"router_id": "r-1", "admin_state_up": False},
        {"router_id": "r-1", "external_v4_ip": "somewhere"},
        {"router_id": "r-1", "prepay_connection_num": -1},
        {},
        {f"field_{number}": 1 for number in range(200)},
    ):
        yield replace(_GOOD, body=json.dumps({"vpnservice": fields}).encode())
    yield from _bad_headers()


def _bad_bodies() -> Iterator[bytes]:
    yield b"x" * 65_537
    yield b'{"vpnservice": {"name": "\xff"}}'
    yield b"not json"
    yield b"[" * 30 + b"]" * 30
    yield b'{"vpnservice": {"router_id": "r-1", "name": "a", "name": "b"}}'
    yield b'{"vpnservice": {"router_id": "r-1", "name": "\\ud800"}}'


def _bad_headers() -> Iterator[Envelope]:
    yield _with({"ce-extra": "x" * 16_384})
    yield replace(_PLAIN, message_id=None)
    yield _with({"ce-type": "vpn.vpnservice.delete.v1"})
    yield _with({"ce-specversion": "0.3"})
    yield replace(_GOOD, content_type="text/xml")
    yield _with({"cloudEvents:id": "another"})
    yield _with({"ce-expirytime": "tomorrow"})
    yield _with({"ce-follow": "for ever"})
    event = json.loads(_STRUCTURED.body)
    event.pop("data")
    yield replace(_STRUCTURED, body=json.dumps({**event, "data_base64": "e30="}).encode())


def _with(headers: Mapping[str, object]) -> Envelope:
    return replace(_GOOD, headers={**_GOOD.headers, **headers})
